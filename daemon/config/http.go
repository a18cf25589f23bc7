package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	promconfig "github.com/prometheus/common/config"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/rules"
)

// How the YAML library says that a key is unknown or of a wrong type, and how its
// messages start: their lines are those of a text that nobody wrote.
var (
	unknownField = regexp.MustCompile(`^line \d+: field (\S+) not found in type`)
	yamlLine     = regexp.MustCompile(`^line (\d+): `)
	wrongType    = regexp.MustCompile(`^cannot unmarshal !!([a-z]+) .*?into (\S+)$`)
)

// kinds are the types of YAML and of Go in the words of package rules.
var kinds = map[string]string{
	"str": "a string", "bool": "a boolean", "int": "a whole number", "float": "a number", "seq": "an array", "map": "a table",
	"string": "a string", "config.Secret": "a string", "config.URL": "a string", "[]string": "an array of strings", "config.TLSVersion": "a string",
}

// httpClient reads a table of Prometheus' http_config, whose keys and defaults
// are known to Prometheus' own YAML reader only.
func (l *loader) httpClient(key string, table map[string]any) (promconfig.HTTPClientConfig, rules.Problems) {
	if len(table) == 0 {
		return promconfig.DefaultHTTPClientConfig, nil
	}
	l.secrets(key, table)
	text, err := yaml.Marshal(table)
	if err != nil {
		return promconfig.HTTPClientConfig{}, rules.Problems{l.doc.Problem(key, "holds a value that is not finite", "")}
	}
	client, err := promconfig.LoadHTTPConfig(string(text))
	if err == nil {
		client.SetDirectory(l.config.Dir)
		return *client, nil
	}
	var out rules.Problems
	for message := range strings.SplitSeq(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n"), "\n") {
		out = append(out, l.httpProblem(key, table, string(text), strings.TrimSpace(message)))
	}
	return promconfig.HTTPClientConfig{}, out
}

// httpProblem translates one message about a table that was written as a YAML text. It
// repeats no value: any of them may be a secret.
func (l *loader) httpProblem(key string, table map[string]any, text, message string) rules.Problem {
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return l.doc.Problem(cmp.Or(find(key, table, m[1]), key), "unknown key", "the keys are those of Prometheus' http_config")
	}
	if strings.Contains(message, `parse "`) {
		for _, name := range []string{"proxy_url", "token_url"} {
			path, value := search(key, table, name)
			if _, err := url.Parse(fmt.Sprint(value)); path != "" && err != nil {
				return l.doc.Problem(path, "is no URL", "")
			}
		}
		return l.doc.Problem(key, "holds a URL that is none", "")
	}
	line := yamlLine.FindStringSubmatch(message)
	if line == nil {
		return l.doc.Problem(key, message, "")
	}
	what, hint := "has a value that does not fit", "the keys are those of Prometheus' http_config"
	if m := wrongType.FindStringSubmatch(message[len(line[0]):]); m != nil && kinds[m[1]] != "" {
		what, hint = fmt.Sprintf("is %s, want %s", kinds[m[1]], cmp.Or(kinds[m[2]], "a table")), ""
	}
	return l.doc.Problem(cmp.Or(find(key, table, keyOn(text, line[1])), key), what, hint)
}

// keyOn returns the key that stands on a line of a YAML text, numbered from 1, or to
// which the item of a list on that line belongs.
func keyOn(text, line string) string {
	lines := strings.Split(text, "\n")
	n, err := strconv.Atoi(line)
	if err != nil || n > len(lines) {
		return ""
	}
	for ; n > 0; n-- {
		if name, _, ok := strings.Cut(strings.TrimSpace(lines[n-1]), ":"); ok && !strings.HasPrefix(name, "-") {
			return name
		}
	}
	return ""
}

// secrets warns of secrets in the file, which more people read than those who should.
func (l *loader) secrets(key string, table map[string]any) {
	for _, name := range []string{"password", "credentials", "bearer_token", "client_secret", "client_certificate_key", "key"} {
		if path := find(key, table, name); path != "" {
			l.warnings = append(l.warnings, l.doc.Problem(path, "is a secret in the configuration", "put it into a file of its own and use "+name+"_file"))
		}
	}
}

// find returns the path of the first key of that name at or below a table; empty: none.
func find(path string, table map[string]any, name string) string {
	path, _ = search(path, table, name)
	return path
}

// search returns the value with the path.
func search(path string, table map[string]any, name string) (string, any) {
	if v, ok := table[name]; ok {
		return path + "." + name, v
	}
	for _, k := range slices.Sorted(maps.Keys(table)) {
		if child, ok := table[k].(map[string]any); ok {
			if p, v := search(path+"."+k, child, name); p != "" {
				return p, v
			}
		}
	}
	return "", nil
}
