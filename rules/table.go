package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Table is one table of a Document. Its methods read keys: each returns the
// fallback for a key that is absent or wrong, and notes what is wrong in the
// Document. A key that was never asked for is unknown.
type Table struct {
	doc    *Document
	path   string
	values map[string]any
	known  map[string]bool
	asks   map[string]*Asked
}

// Path returns the path of a key of this table, of the table itself for "".
func (t *Table) Path(key string) string {
	if key == "" {
		return t.path
	}
	return join(t.path, key)
}

// Invalid notes that the value of a key is wrong.
func (t *Table) Invalid(key, message, hint string) {
	t.doc.refuse(t.Path(key), message, hint)
}

// Has reports whether the key is present.
func (t *Table) Has(key string) bool {
	t.known[key] = true
	t.ask(key)
	_, ok := t.values[key]
	return ok
}

// IsText reports whether the value of the key is a string: one that is absent or
// of another type is reported elsewhere.
func (t *Table) IsText(key string) bool {
	_, ok := t.values[key].(string)
	return ok
}

// Require notes each of the keys that is absent, and reports whether all are present.
func (t *Table) Require(keys ...string) bool {
	all := true
	for _, key := range keys {
		t.ask(key).Required = true
		if !t.Has(key) {
			t.Invalid(key, "is missing", "")
			all = false
		}
	}
	return all
}

// maxItems bounds a list of tables, and the keys of a table that are the user's own:
// what one part of a file says of another is checked for each pair.
const maxItems = 1000

// Keys returns the keys of a table whose keys are the user's own, sorted; none where
// there are too many.
func (t *Table) Keys() []string {
	keys := sortedKeys(t.values)
	for _, k := range keys {
		if !t.known[k] {
			t.doc.own[t.Path(k)] = true
		}
		t.known[k] = true
	}
	if !t.few("", len(keys)) {
		return nil
	}
	return keys
}

// few reports whether a number of items is within the bound, and notes where not.
func (t *Table) few(key string, n int) bool {
	if n > maxItems {
		t.Invalid(key, fmt.Sprintf("has %d items, want at most %d", n, maxItems), "split the file")
	}
	return n <= maxItems
}

// Text reads a string.
func (t *Table) Text(key, fallback string) string {
	t.ask(key).Fallback = fallback
	if v, ok := read[string](t, key, "a string"); ok {
		return v
	}
	return fallback
}

// OneOf reads a string that is one of the given words.
func (t *Table) OneOf(key, fallback string, words ...string) string {
	t.ask(key).Fallback, t.ask(key).Words = fallback, words
	v, ok := read[string](t, key, "a string")
	if !ok {
		return fallback
	}
	if !slices.Contains(words, v) {
		t.Invalid(key, fmt.Sprintf("%q is not allowed", v), Suggest(v, words))
		return fallback
	}
	return v
}

// Texts reads an array of strings.
func (t *Table) Texts(key string) []string {
	items, ok := read[[]any](t, key, "an array of strings")
	if !ok {
		return nil
	}
	out := make([]string, 0, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			t.Invalid(key, fmt.Sprintf("item %d is %s, want a string", i, kind(item)), "")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// Number reads a finite number within [least, most].
func (t *Table) Number(key string, fallback, least, most float64) float64 {
	t.ask(key).Want = "a number"
	t.between(key, fallback, least, most)
	if !t.Has(key) {
		return fallback
	}
	var v float64
	switch n := t.values[key].(type) {
	case int64:
		v = float64(n)
	case float64:
		v = n
	default:
		t.Invalid(key, "is "+kind(n)+", want a number", "")
		return fallback
	}
	if problem := outside(v, least, most); problem != "" {
		t.Invalid(key, problem, "")
		return fallback
	}
	return v
}

// Whole reads a whole number within [least, most].
func (t *Table) Whole(key string, fallback, least, most int) int {
	t.between(key, fallback, least, most)
	v, ok := read[int64](t, key, "a whole number")
	if !ok {
		return fallback
	}
	if problem := outside(float64(v), float64(least), float64(most)); problem != "" {
		t.Invalid(key, problem, "")
		return fallback
	}
	return int(v)
}

// Bool reads true or false.
func (t *Table) Bool(key string, fallback bool) bool {
	t.ask(key).Fallback = fallback
	if v, ok := read[bool](t, key, "true or false"); ok {
		return v
	}
	return fallback
}

// Duration reads a duration as Prometheus writes it, of at least the given length.
func (t *Table) Duration(key string, fallback, least time.Duration) time.Duration {
	t.between(key, fallback, least, nil)
	v, ok := read[string](t, key, `a duration such as "5s"`)
	if !ok {
		return fallback
	}
	d, err := model.ParseDuration(v)
	if err != nil {
		t.Invalid(key, fmt.Sprintf("%q is not a duration", v), `write a number and a unit, as in "35ms", "5s", "1h30m" or "30d"`)
		return fallback
	}
	if time.Duration(d) < least {
		t.Invalid(key, fmt.Sprintf("%s is too short", v), "at least "+model.Duration(least).String())
		return fallback
	}
	return time.Duration(d)
}

// Table opens a sub-table; nil if it is absent or no table.
func (t *Table) Table(key string) *Table {
	v, ok := read[map[string]any](t, key, "a table")
	if !ok {
		return nil
	}
	return t.doc.open(t.Path(key), v)
}

// Tables opens the tables of an array of tables.
func (t *Table) Tables(key string) []*Table {
	t.ask(key).Want = "an array of tables"
	if !t.Has(key) {
		return nil
	}
	var out []*Table
	switch items := t.values[key].(type) {
	case []map[string]any:
		if !t.few(key, len(items)) {
			return nil
		}
		for i, item := range items {
			out = append(out, t.doc.open(index(t.Path(key), i), item))
		}
	case []any:
		if !t.few(key, len(items)) {
			return nil
		}
		for i, item := range items {
			values, ok := item.(map[string]any)
			if !ok {
				t.Invalid(key, fmt.Sprintf("item %d is %s, want a table", i, kind(item)), "")
				return nil
			}
			out = append(out, t.doc.open(index(t.Path(key), i), values))
		}
	default:
		t.Invalid(key, "is "+kind(items)+", want an array of tables", "write it as [["+key+"]]")
	}
	return out
}

// Free returns a table that belongs to somebody else as it was written; nil if
// it is absent.
func (t *Table) Free(key string) map[string]any {
	v, _ := read[map[string]any](t, key, "a table")
	return v
}

func (t *Table) asked() []string { return slices.Sorted(maps.Keys(t.known)) }

// read returns the value of a key if it is present and of type T.
func read[T any](t *Table, key, want string) (T, bool) {
	v, ok := t.values[key].(T)
	t.ask(key).Want = want
	if t.Has(key) && !ok {
		t.Invalid(key, "is "+kind(t.values[key])+", want "+want, "")
	}
	return v, ok
}

func outside(v, least, most float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Sprintf("is %v, want a finite number", v)
	case v < least && math.IsInf(most, 1):
		return fmt.Sprintf("%v is out of range, want at least %v", v, least)
	case v < least || v > most:
		return fmt.Sprintf("%v is out of range, want %v to %v", v, least, most)
	}
	return ""
}

// kind names the type of a TOML value.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	}
	return "an array"
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
