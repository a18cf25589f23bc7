package rules

import (
	"regexp"
	"strings"
)

// Asked is what the reader of a file asked of one of its keys: what a reference of the
// configuration, and the schema that an editor goes by, are made of.
type Asked struct {
	// Path has "[]" in the place of an index, and NAME in the place of a key that is the
	// user's own, as in service[].objective[].bound and prometheus.NAME.url.
	Path     string
	Want     string   // the type in words, as messages have it; empty: it was only looked for
	Words    []string // that the value may be; empty: any
	Least    any      // with Most: numbers; alone: a time.Duration
	Most     any
	Fallback any  // nil: none
	Required bool // in some table, beside which other keys it has
	Always   bool // required, in each table of its path
}

// Asked returns what was asked so far, in the order of the first time.
func (d *Document) Asked() []Asked {
	var out []Asked
	at := map[string]int{}
	for _, a := range d.asked {
		path := d.general(a.Path)
		i, seen := at[path]
		if !seen {
			i = len(out)
			at[path] = i
			out = append(out, Asked{Path: path})
		}
		required := out[i].Required || a.Required
		if a.Want != "" && out[i].Want == "" {
			out[i] = *a
		}
		out[i].Path, out[i].Required = path, required
	}
	for i := range out {
		out[i].Always = out[i].Required && d.always(out[i].Path)
	}
	return out
}

// always reports whether each table that could have a key requires it.
func (d *Document) always(path string) bool {
	for _, t := range d.tables {
		key := path[strings.LastIndexByte(path, '.')+1:]
		if strings.TrimSuffix(strings.TrimSuffix(path, key), ".") != d.general(t.path) {
			continue
		}
		if a := t.asks[key]; a == nil || !a.Required {
			return false
		}
	}
	return true
}

// Asked returns what was asked of the mesh's file.
func (m *Mesh) Asked() []Asked { return m.doc.Asked() }

var anIndex = regexp.MustCompile(`\[\d+\]`)

// general is a path without what is of one file.
func (d *Document) general(path string) string {
	parts := strings.Split(path, ".")
	out := make([]string, len(parts))
	for i, p := range parts {
		if out[i] = p; d.own[strings.Join(parts[:i+1], ".")] {
			out[i] = "NAME"
		}
	}
	return anIndex.ReplaceAllString(strings.Join(out, "."), "[]")
}

// ask notes what is asked of a key.
func (t *Table) ask(key string) *Asked {
	a := t.asks[key]
	if a == nil {
		a = &Asked{Path: t.Path(key)}
		t.asks[key] = a
		t.doc.asked = append(t.doc.asked, a)
	}
	return a
}

// between notes the range of a key and what holds without it.
func (t *Table) between(key string, fallback, least, most any) {
	a := t.ask(key)
	a.Fallback, a.Least, a.Most = fallback, least, most
}
