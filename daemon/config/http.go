package config

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/rules"
)

// How the YAML library says that a key is unknown, and how its messages start:
// their lines are those of a text that nobody wrote.
var (
	unknownField = regexp.MustCompile(`^line \d+: field (\S+) not found in type`)
	yamlLine     = regexp.MustCompile(`^line \d+: `)
)

// httpClient reads a table of Prometheus' http_config, whose keys and defaults
// are known to Prometheus' own YAML reader only.
func (l *loader) httpClient(key string, table map[string]any) (promconfig.HTTPClientConfig, rules.Problems) {
	if len(table) == 0 {
		return promconfig.DefaultHTTPClientConfig, nil
	}
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
		message = strings.TrimSpace(message)
		if m := unknownField.FindStringSubmatch(message); m != nil {
			out = append(out, l.doc.Problem(cmp.Or(find(key, table, m[1]), key), "unknown key", "the keys are those of Prometheus' http_config"))
			continue
		}
		out = append(out, l.doc.Problem(key, yamlLine.ReplaceAllString(message, ""), ""))
	}
	return promconfig.HTTPClientConfig{}, out
}

// find returns the path of the first key of that name at or below a table.
func find(path string, table map[string]any, name string) string {
	if _, ok := table[name]; ok {
		return path + "." + name
	}
	for _, k := range slices.Sorted(maps.Keys(table)) {
		if child, ok := table[k].(map[string]any); ok {
			if p := find(path+"."+k, child, name); p != "" {
				return p
			}
		}
	}
	return ""
}
