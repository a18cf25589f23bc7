package rules

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAsked(t *testing.T) {
	doc, root, err := ParseDocument("f", []byte("a = 1\n[[list]]\nx = 'one'\n[[list]]\nx = 'two'\ny = '1s'\n[names]\nby = 's'\nmine = 'q'\n"))
	if err != nil {
		t.Fatal(err)
	}
	root.Number("a", 2, 0, math.Inf(1))
	for i, l := range root.Tables("list") {
		l.Require("x")
		l.OneOf("x", "", "one", "two")
		if l.Has("y") && i == 1 {
			l.Require("y")
			l.Duration("y", time.Minute, time.Second)
		}
	}
	names := root.Table("names")
	names.Text("by", "service")
	for _, k := range names.Keys() {
		if k != "by" {
			names.Text(k, "")
		}
	}
	want := []Asked{
		{Path: "a", Want: "a number", Fallback: 2.0, Least: 0.0, Most: math.Inf(1)},
		{Path: "list", Want: "an array of tables"},
		{Path: "list[].x", Want: "a string", Words: []string{"one", "two"}, Fallback: "", Required: true, Always: true},
		{Path: "list[].y", Want: `a duration such as "5s"`, Fallback: time.Minute, Least: time.Second, Required: true},
		{Path: "names", Want: "a table"},
		{Path: "names.by", Want: "a string", Fallback: "service"},
		{Path: "names.NAME", Want: "a string", Fallback: ""},
	}
	if d := cmp.Diff(want, doc.Asked()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
