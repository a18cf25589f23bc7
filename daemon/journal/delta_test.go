package journal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDifference(t *testing.T) {
	for _, c := range []struct{ name, was, now, want string }{
		{"the same", `{"a":1}`, `{"a":1}`, ""},
		{"a number", `1`, `2`, `{"value":2}`},
		{"a member", `{"a":1,"b":"as it was, which takes some space"}`, `{"a":2,"b":"as it was, which takes some space"}`, `{"object":{"a":{"value":2}}}`},
		{"other members", `{"a":1}`, `{"b":1}`, `{"value":{"b":1}}`},
		{"a window moves", `[1.0001,2.0002,3.0003,4.0004,5.0005]`, `[2.0002,3.0003,4.0004,5.0005,6.0006]`, `{"array":{"drop":1,"add":[6.0006]}}`},
		{"a window grows", `[1.0001,2.0002,3.0003,4.0004]`, `[1.0001,2.0002,3.0003,4.0004,5]`, `{"array":{"add":[5]}}`},
		{"an element", `["some text in front",1,"some text behind","and more"]`, `["some text in front",2,"some text behind","and more"]`, `{"array":{"change":{"1":{"value":2}}}}`},
		{"small enough to write whole", `[1,2]`, `[1,3]`, `{"value":[1,3]}`},
		{"an array for an object", `{}`, `[]`, `{"value":[]}`},
		{"null", `[1]`, `null`, `{"value":null}`},
		{"written differently", `{"a":[1,2],"b":"some text"}`, `{"b":"some text","a":[1,2]}`, `{"value":{"b":"some text","a":[1,2]}}`},
		{"spaced differently", `[1, 2]`, `[1,2]`, `{"value":[1,2]}`},
		{"shorter", `[1,2,3]`, `[1,2]`, `{"value":[1,2]}`},
	} {
		d, differ := difference(json.RawMessage(c.was), json.RawMessage(c.now))
		got := ""
		if differ {
			raw, err := plain(d)
			if err != nil {
				t.Fatal(err)
			}
			got = string(raw)
			if d.size != len(got) {
				t.Errorf("%s: a size of %d bytes, want %d", c.name, d.size, len(got))
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// value makes a random JSON value.
func value(rng *rand.Rand, depth int) any {
	switch n := rng.IntN(6); {
	case n < 2 && depth > 0:
		out := []any{}
		for range rng.IntN(6) {
			out = append(out, value(rng, depth-1))
		}
		return out
	case n < 4 && depth > 0:
		out := map[string]any{}
		for range rng.IntN(5) {
			out[fmt.Sprint("m", rng.IntN(6))] = value(rng, depth-1)
		}
		return out
	case n == 4:
		return nil
	}
	return []any{rng.Float64(), "a <text> & more", true, -1}[rng.IntN(4)]
}

// changed changes some of a value.
func changed(rng *rand.Rand, v any) any {
	if rng.IntN(8) == 0 {
		return value(rng, 2)
	}
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if rng.IntN(4) == 0 {
				e = changed(rng, e)
			}
			out = append(out, e)
		}
		if len(out) > 0 && rng.IntN(2) == 0 {
			out = append(out[1:], rng.Float64())
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = e
			if rng.IntN(3) == 0 {
				out[k] = changed(rng, e)
			}
		}
		return out
	}
	return v
}

// Whatever two values are, the difference makes the one of the other.
func TestDifferenceIsUndone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 1))
	raw := func(v any) json.RawMessage {
		b, err := plain(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	differed := 0
	for i := range 4_000 {
		v := value(rng, 4)
		was, now := raw(v), raw(changed(rng, v))
		d, differ := difference(was, now)
		if !differ {
			continue
		}
		differed++
		if got := len(raw(d)); d.size != got {
			t.Fatalf("%d: a size of %d bytes, want %d: %s", i, d.size, got, raw(d))
		}
		var stored delta // as it reads back
		if err := json.Unmarshal(raw(d), &stored); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		got, err := stored.apply(was)
		if err != nil {
			t.Fatalf("%d: %s to %s by %s: %v", i, was, now, raw(d), err)
		}
		var want, have any
		if json.Unmarshal(now, &want) != nil || json.Unmarshal(got, &have) != nil || !cmp.Equal(want, have) {
			t.Fatalf("%d: %s to %s by %s: %s", i, was, now, raw(d), got)
		}
	}
	if differed < 1000 {
		t.Errorf("%d pairs differed: the test shows little", differed)
	}
}

// A difference that does not fit is an error and not a panic.
func TestDifferenceThatDoesNotFit(t *testing.T) {
	for _, c := range []struct{ was, d, want string }{
		{`[1]`, `{}`, "empty"},
		{`[1]`, `{"array":{"drop":2}}`, "2 elements dropped of 1"},
		{`[1]`, `{"array":{"drop":-1}}`, "-1 elements dropped"},
		{`[1]`, `{"array":{"change":{"1":{"value":2}}}}`, "element 1 changed of 1"},
		{`[1]`, `{"array":{"change":{"x":{"value":2}}}}`, "element x"},
		{`[1]`, `{"object":{"a":{"value":2}}}`, "cannot unmarshal"},
		{`{}`, `{"array":{"add":[1]}}`, "cannot unmarshal"},
		{`{"a":1}`, `{"object":{"a":{"array":{"drop":1}}}}`, "a: "},
	} {
		var d delta
		if err := json.Unmarshal([]byte(c.d), &d); err != nil {
			t.Fatal(err)
		}
		if got, err := d.apply(json.RawMessage(c.was)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %s, %v; want %q", c.d, c.was, got, err, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for v, want := range map[string]string{
		`[]`:                          "",
		`{}`:                          "",
		`[1]`:                         "1",
		`[1,[2,3],{"a":[4]},"x,]y"]`:  `1 [2,3] {"a":[4]} "x,]y"`,
		`{"a":1,"b":{"c":[1,2]}}`:     `"a" 1 "b" {"c":[1,2]}`,
		`{"a\"},":"\\","b":""}`:       `"a\"}," "\\" "b" ""`,
		`["\\\"",null,true,-1.5e-07]`: `"\\\"" null true -1.5e-07`,
	} {
		var got []string
		for _, part := range split(json.RawMessage(v)) {
			got = append(got, string(part))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", v, s, want)
		}
	}
}
