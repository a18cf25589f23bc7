package slo

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// node is a value in a YAML document that remembers whether it was read, so that what
// was not is told.
type node struct {
	path  string
	value any
	seen  map[string]bool // paths that were read; shared by the whole document
}

// readYAML reads every document of a file; a document that is a list is a document for
// each of its items.
func readYAML(src []byte) ([]node, error) {
	var out []node
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(src)))
	for i := 0; ; i++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		root := node{value: v, seen: map[string]bool{}}
		switch v := v.(type) {
		case nil:
		case []any:
			for k := range v {
				out = append(out, node{path: "[" + strconv.Itoa(k) + "]", value: v[k], seen: root.seen})
			}
		default:
			out = append(out, root)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no document in it")
	}
	if len(out) > 1 { // paths have to tell documents apart
		for i := range out {
			out[i] = node{path: fmt.Sprintf("document %d: ", i+1), value: out[i].value, seen: map[string]bool{}}
		}
	}
	return out, nil
}

// get reads a value of a map, and the maps on the way to it: get("a", "b"). A value that
// is not there is a node without a value.
func (n node) get(keys ...string) node {
	for _, key := range keys {
		path := n.pathOf(key)
		n.seen[n.path], n.seen[path] = true, true
		m, _ := n.value.(map[string]any)
		n = node{path: path, value: m[key], seen: n.seen}
	}
	return n
}

// either reads the first value that is there, of one that has two spellings.
func (n node) either(first, second string) node {
	if v := n.get(first); v.there() {
		return v
	}
	return n.get(second)
}

func (n node) pathOf(key string) string {
	switch {
	case n.path == "", strings.HasSuffix(n.path, ": "):
		return n.path + key
	}
	return n.path + "." + key
}

// items reads the items of a list.
func (n node) items() []node {
	list, _ := n.value.([]any)
	n.seen[n.path] = true
	out := make([]node, len(list))
	for i := range list {
		out[i] = node{path: n.path + "[" + strconv.Itoa(i) + "]", value: list[i], seen: n.seen}
		n.seen[out[i].path] = true
	}
	return out
}

// text reads a string; a number or a boolean is written as one.
func (n node) text() string {
	switch v := n.value.(type) {
	case string:
		return strings.TrimSpace(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// number reads a number, which may be written as a string.
func (n node) number() (float64, bool) {
	v, err := strconv.ParseFloat(n.text(), 64)
	return v, err == nil
}

func (n node) there() bool { return n.value != nil }

// drop marks a value and all below it as read.
func (n node) drop() { n.seen[n.path+" and below"] = true }

// unread calls f with the path of each value that was not read, the outermost where
// nothing below it was.
func (n node) unread(f func(path string)) {
	if n.seen[n.path+" and below"] {
		return
	}
	if !n.seen[n.path] {
		f(cmp.Or(strings.TrimSuffix(n.path, ": "), "the document"))
		return
	}
	switch v := n.value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c := node{path: n.pathOf(key), value: v[key], seen: n.seen}
			c.unread(f)
		}
	case []any:
		for i := range v {
			c := node{path: n.path + "[" + strconv.Itoa(i) + "]", value: v[i], seen: n.seen}
			c.unread(f)
		}
	}
}
