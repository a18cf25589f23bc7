// Package jsonschema holds values against the part of JSON Schema (2020-12) that windvane's
// own schemas are written in: $ref within the document, type, enum, properties, required,
// additionalProperties, items, anyOf, minimum, maximum, minLength and pattern; other words describe.
// It is for tests.
package jsonschema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Check returns what is wrong with a value, each with its path; none: it is valid. Document
// is what $ref is within, schema the part of it that the value is held against; all three
// are as encoding/json decodes them into any.
func Check(document, schema, value any) []string {
	c := checker{document: document}
	c.check("", schema, value)
	return c.wrong
}

type checker struct {
	document any
	wrong    []string
}

func (c *checker) say(path, format string, args ...any) {
	c.wrong = append(c.wrong, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

func (c *checker) check(path string, schema, value any) {
	s, ok := schema.(map[string]any)
	if !ok {
		c.say(path, "the schema is %v", schema)
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		c.check(path, c.resolve(ref), value)
	}
	if t := s["type"]; t != nil && !isOf(t, value) {
		c.say(path, "is %s, want %v", kind(value), t)
		return
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, value) {
		c.say(path, "%v is none of %v", value, enum)
	}
	if may, ok := s["anyOf"].([]any); ok && !slices.ContainsFunc(may, func(s any) bool { return len(Check(c.document, s, value)) == 0 }) {
		c.say(path, "is none of what it may be")
	}
	switch v := value.(type) {
	case map[string]any:
		c.object(path, s, v)
	case []any:
		for i, item := range v {
			if s["items"] != nil {
				c.check(fmt.Sprintf("%s[%d]", path, i), s["items"], item)
			}
		}
	case string:
		c.text(path, s, v)
	case float64:
		if least, ok := s["minimum"].(float64); ok && v < least {
			c.say(path, "%v is below %v", v, least)
		}
		if most, ok := s["maximum"].(float64); ok && v > most {
			c.say(path, "%v is above %v", v, most)
		}
	}
}

func (c *checker) object(path string, s, v map[string]any) {
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, ok := v[key.(string)]; !ok {
			c.say(path, "has no %v", key)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(v)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		if p, ok := properties[key]; ok {
			c.check(at, p, v[key])
			continue
		}
		switch rest := s["additionalProperties"].(type) {
		case bool:
			if !rest {
				c.say(at, "is not known")
			}
		case map[string]any:
			c.check(at, rest, v[key])
		}
	}
}

func (c *checker) text(path string, s map[string]any, v string) {
	if least, ok := s["minLength"].(float64); ok && len(v) < int(least) {
		c.say(path, "%q is too short", v)
	}
	if p, ok := s["pattern"].(string); ok {
		if r, err := regexp.Compile(p); err != nil || !r.MatchString(v) {
			c.say(path, "%q does not match %s", v, p)
		}
	}
}

// resolve follows #/a/b.
func (c *checker) resolve(ref string) any {
	at := c.document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

func isOf(t, value any) bool {
	if many, ok := t.([]any); ok {
		return slices.ContainsFunc(many, func(t any) bool { return isOf(t, value) })
	}
	k := kind(value)
	return k == t || k == "integer" && t == "number"
}

func kind(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", value)
}
