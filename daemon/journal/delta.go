package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// delta is what makes one JSON value of another. Exactly one of Value, Object and
// Array is set.
type delta struct {
	Value  json.RawMessage  `json:"value,omitempty"` // the new one, whole
	Object map[string]delta `json:"object,omitempty"`
	Array  *arrayDelta      `json:"array,omitempty"`

	size int // bytes of its JSON
}

// arrayDelta drops elements from the front, changes some of what is left, by index, and
// adds others behind: a window that moves is one that drops and adds.
type arrayDelta struct {
	Drop   int               `json:"drop,omitempty"`
	Change map[string]delta  `json:"change,omitempty"`
	Add    []json.RawMessage `json:"add,omitempty"`
}

// difference returns what makes now of was; false if they are the same.
func difference(was, now json.RawMessage) (delta, bool) {
	if bytes.Equal(was, now) {
		return delta{}, false
	}
	whole := delta{Value: now, size: len(`{"value":}`) + len(now)}
	var d delta
	switch {
	case kindOf(was) == '{' && kindOf(now) == '{':
		d = objectDifference(was, now)
	case kindOf(was) == '[' && kindOf(now) == '[':
		d = arrayDifference(was, now)
	}
	if len(d.Object) == 0 && d.Array == nil {
		return whole, true
	}
	if d.size >= len(now) {
		return whole, true
	}
	return d, true
}

func kindOf(v json.RawMessage) byte {
	if len(v) == 0 {
		return 0
	}
	return v[0]
}

// objectDifference is empty unless both have the same members in the same order.
func objectDifference(was, now json.RawMessage) delta {
	a, b := split(was), split(now)
	if len(a) != len(b) {
		return delta{}
	}
	out := delta{Object: map[string]delta{}, size: len(`{"object":{}}`) - len(`,`)}
	for i := 0; i < len(b); i += 2 {
		if !bytes.Equal(a[i], b[i]) {
			return delta{}
		}
		if d, differ := difference(a[i+1], b[i+1]); differ {
			var name string
			if json.Unmarshal(b[i], &name) != nil {
				return delta{}
			}
			out.Object[name] = d
			out.size += len(b[i]) + len(`:,`) + d.size
		}
	}
	return out
}

// arrayDifference is empty unless now is was with elements changed, or with one dropped
// in front, and others added behind.
func arrayDifference(was, now json.RawMessage) delta {
	if d, ok := windowDifference(was, now); ok {
		return d
	}
	a, b := split(was), split(now)
	if len(a) != len(b) {
		return delta{}
	}
	out := delta{Array: &arrayDelta{Change: map[string]delta{}}, size: len(`{"array":{"change":{}}}`) - len(`,`)}
	for i, v := range b {
		if d, differ := difference(a[i], v); differ {
			index := strconv.Itoa(i)
			out.Array.Change[index] = d
			out.size += len(index) + len(`"":,`) + d.size
		}
	}
	if len(out.Array.Change) == 0 {
		return delta{} // written differently
	}
	return out
}

// windowDifference is that of an array with none or one element dropped in front and others
// added behind: what is kept is the same bytes, so that only the rest is looked at.
func windowDifference(was, now json.RawMessage) (delta, bool) {
	kept := was[1 : len(was)-1]
	for drop := range 2 {
		if drop > 0 {
			kept = kept[min(len(kept), elementEnd(kept)+1):]
		}
		end := 1 + len(kept) // in now
		if len(kept) == 0 || end >= len(now) || now[end] != ',' || !bytes.Equal(now[1:end], kept) {
			continue
		}
		out := delta{Array: &arrayDelta{Drop: drop, Add: elements(now[end+1:])}, size: len(`{"array":{"add":[]}}`) - len(`,`)}
		if drop > 0 {
			out.size += len(`"drop":1,`)
		}
		for _, v := range out.Array.Add {
			out.size += len(v) + len(`,`)
		}
		return out, true
	}
	return delta{}, false
}

// split returns the elements of an array, or the names and values of an object in turn. The
// JSON is valid, as encoding/json has just written it: it is not looked at otherwise,
// which is what makes a thousand services cheap.
func split(v json.RawMessage) []json.RawMessage { return elements(v[1:]) }

// elements is split behind the bracket that opens, or behind a comma.
func elements(v json.RawMessage) []json.RawMessage {
	var out []json.RawMessage
	for len(v) > 0 {
		n := elementEnd(v)
		if n > 0 { // not the end of an empty one
			out = append(out, v[:n])
		}
		if n >= len(v)-1 {
			break
		}
		v = v[n+1:]
	}
	return out
}

// elementEnd is where an element ends: at a comma, a colon or a bracket that closes what it is in.
func elementEnd(v json.RawMessage) int {
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case depth == 0 && (c == ',' || c == ':' || c == ']' || c == '}'):
			return i
		case c == ']' || c == '}':
			depth--
		}
	}
	return len(v)
}

// apply returns the value that the delta makes of was.
func (d delta) apply(was json.RawMessage) (json.RawMessage, error) {
	switch {
	case d.Value != nil:
		return d.Value, nil
	case d.Object != nil:
		var a map[string]json.RawMessage
		if err := json.Unmarshal(was, &a); err != nil {
			return nil, err
		}
		for name, m := range d.Object {
			v, err := m.apply(a[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			a[name] = v
		}
		return plain(a)
	case d.Array != nil:
		return d.Array.apply(was)
	}
	return nil, errors.New("the difference is empty")
}

func (d *arrayDelta) apply(was json.RawMessage) (json.RawMessage, error) {
	var a []json.RawMessage
	if err := json.Unmarshal(was, &a); err != nil {
		return nil, err
	}
	if d.Drop < 0 || d.Drop > len(a) {
		return nil, fmt.Errorf("%d elements dropped of %d", d.Drop, len(a))
	}
	a = a[d.Drop:]
	for index, m := range d.Change {
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(a) {
			return nil, fmt.Errorf("element %s changed of %d", index, len(a))
		}
		if a[i], err = m.apply(a[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", index, err)
		}
	}
	return plain(append(a, d.Add...))
}
