package api

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// example is a block of docs/api.md: the request, the code and what is answered.
var example = regexp.MustCompile("(?s)```http\n(\\w+) (\\S+)\n(\\{[^\n]*\n)?([0-9]{3})\n(.*?)```")

// Each example of docs/api.md is answered as it says there, and each endpoint of its table has one.
func TestDocumentedExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(o *Options) { o.EnableReload, o.WebConfigFile = true, users(t) })
	var asked []string
	for _, m := range example.FindAllStringSubmatch(string(page), -1) {
		method, path, body, wantCode, want := m[1], m[2], m[3], m[4], m[5]
		asked = append(asked, method+" "+strings.Split(path, "?")[0])
		code, got, _ := r.do(method, path, body, map[string]string{"user": "ann:secret"})
		if fmt.Sprint(code) != wantCode {
			t.Errorf("%s %s: %d, documented is %s", method, path, code, wantCode)
		}
		if !strings.HasPrefix(path, "/api/") || strings.HasSuffix(path, "/text") {
			if want != "" && got != want {
				t.Errorf("%s %s: %q, documented is %q", method, path, got, want)
			}
			continue
		}
		var documented, answered any
		if err := json.Unmarshal([]byte(want), &documented); err != nil {
			t.Errorf("%s %s: the documented answer: %v", method, path, err)
		}
		if err := json.Unmarshal([]byte(got), &answered); err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		if miss := missing("", documented, answered); miss != "" {
			t.Errorf("%s %s: %s\n%s", method, path, miss, got)
		}
	}
	if n := strings.Count(string(page), "```http"); n != len(asked) {
		t.Errorf("%d examples of %d are understood", len(asked), n)
	}
	for _, path := range Paths() {
		if !strings.Contains(string(page), " "+path+"`") && !strings.HasPrefix(path, "/debug/pprof/") && path != "/api/v1/" {
			t.Errorf("%s is not in the page", path)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+ /\\S*)`").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 10 {
		t.Errorf("%d endpoints in the table", len(rows))
	}
	for _, row := range rows {
		if !slices.Contains(Paths(), strings.Fields(row[1])[1]) {
			t.Errorf("%s is no endpoint", row[1])
		}
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(row[1]), `[^/]+`) + "$")
		found := row[1] == "GET "+eventsPath // a stream; TestEvents
		for _, a := range asked {
			found = found || pattern.MatchString(a)
		}
		if !found {
			t.Errorf("%s has no example", row[1])
		}
	}
}

// missing says what of want is not in got: got may have more members.
func missing(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at + " is no object"
		}
		for name, v := range w {
			has, ok := g[name]
			if !ok {
				return at + "." + name + " is not there"
			}
			if miss := missing(at+"."+name, v, has); miss != "" {
				return miss
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s has not %d elements", at, len(w))
		}
		for i, v := range w {
			if miss := missing(fmt.Sprintf("%s[%d]", at, i), v, g[i]); miss != "" {
				return miss
			}
		}
	default:
		if want != got {
			return fmt.Sprintf("%s is %v, documented is %v", at, got, want)
		}
	}
	return ""
}
