package jsonschema

import (
	"encoding/json"
	"strings"
	"testing"
)

const document = `{
	"type": "object", "required": ["name"], "additionalProperties": false,
	"properties": {
		"name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
		"load": {"type": ["number", "null"], "minimum": 0, "maximum": 10},
		"count": {"type": "integer"},
		"role": {"enum": ["active", "shadow"]},
		"own": {"type": "object", "additionalProperties": {"$ref": "#/$defs/yes"}},
		"list": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/yes"}]}},
		"lost": {"$ref": "#/$defs/none/at/all"}
	},
	"$defs": {"yes": {"type": "boolean"}}
}`

func TestCheck(t *testing.T) {
	var schema any
	if err := json.Unmarshal([]byte(document), &schema); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		`{"name": "ab", "load": 2.5, "count": 3, "role": "active", "own": {"x": true}, "list": ["a", false]}`: "",
		`{"name": "ab", "load": null}`:         "",
		`[]`:                                   "is array, want object",
		`{}`:                                   "has no name",
		`{"name": "a"}`:                        `name: "a" is too short`,
		`{"name": "AB"}`:                       `name: "AB" does not match ^[a-z]+$`,
		`{"name": "ab", "extra": 1}`:           "extra: is not known",
		`{"name": "ab", "load": 11}`:           "load: 11 is above 10",
		`{"name": "ab", "load": -1}`:           "load: -1 is below 0",
		`{"name": "ab", "load": "1"}`:          "load: is string, want [number null]",
		`{"name": "ab", "count": 1.5}`:         "count: is number, want integer",
		`{"name": "ab", "role": "act"}`:        "role: act is none of [active shadow]",
		`{"name": "ab", "own": {"x": 1}}`:      "own.x: is integer, want boolean",
		`{"name": "ab", "list": ["a", 1, {}]}`: "list[1]: is none of what it may be; list[2]: is none of what it may be",
		`{"name": "ab", "lost": 1}`:            "lost: the schema is <nil>",
	} {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Check(schema, schema, v), "; "); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}
