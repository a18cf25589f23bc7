package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/daemon/authority"
)

// deployed are the alerts and dashboards of deploy, held against the registry.
type deployed struct {
	labels map[string][]string // of each metric that there is
	values map[string][]string // of each label whose values are constants
	errorf func(format string, args ...any)
}

// target are the labels that Prometheus adds to what it scrapes.
var target = []string{"job", "instance"}

// newDeployed knows windvane's metrics from the registry, those of the Go runtime and the
// process from their samples, and what the shipped recording rules give.
func newDeployed(t *testing.T, registry *prometheus.Registry, families []*dto.MetricFamily) deployed {
	t.Helper()
	out := deployed{labels: map[string][]string{
		"ALERTS":                 {"alertname", "alertstate", "severity", "mesh", "service"},
		"windvane:offered:rate":  {"service"},
		"windvane:carried:rate":  {"service"},
		"windvane:blocked:ratio": {"service"},
		"windvane:split:ratio":   {"service", "version"}, "windvane:latency_seconds:p95": {"service"},
	}, values: known(), errorf: t.Errorf}
	for _, f := range []string{"istio", "envoy"} {
		rules := readFile(t, "../deploy/prometheus/"+f+".rules.yml")
		for name := range out.labels {
			if strings.HasPrefix(name, "windvane:") && !strings.Contains(rules, "record: "+name+"\n") {
				t.Errorf("%s.rules.yml has no %s", f, name)
			}
		}
	}
	for _, f := range families {
		out.labels[f.GetName()] = target
	}
	for name, own := range described(t, registry) {
		out.labels[name] = append(own, target...)
	}
	for _, f := range families {
		if f.GetType() == dto.MetricType_HISTOGRAM {
			out.labels[f.GetName()+"_bucket"] = append(slices.Clone(out.labels[f.GetName()]), "le")
		}
	}
	out.labels["windvane_build_info"] = append(out.labels["windvane_build_info"], "version", "revision", "branch", "goversion", "goos", "goarch", "tags")
	for _, label := range []string{"mesh", "service", "signal", "budget", "lease", "policy", "plugin", "route", "destination", "deployment", "handler"} {
		delete(out.values, label) // of the configuration
	}
	out.values["source"] = append(authority.Lowering(), "main")
	out.values["alertstate"] = []string{"firing", "pending"}
	return out
}

// check parses an expression, holds each selector against what there is, and returns the
// labels of its result.
func (d deployed) check(where, expr string) []string {
	for variable, stand := range map[string]string{"$__rate_interval": "1m", "$__interval": "1m"} {
		expr = strings.ReplaceAll(expr, variable, stand)
	}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		d.errorf("%s: %s: %v", where, expr, err)
		return nil
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			d.selector(where, s)
		}
		if a, ok := n.(*parser.AggregateExpr); ok && !a.Without {
			for _, l := range a.Grouping {
				if !slices.Contains(d.result(a.Expr), l) {
					d.errorf("%s: %s: nothing below has the label %s", where, a, l)
				}
			}
		}
		return nil
	})
	return d.result(parsed)
}

func (d deployed) selector(where string, s *parser.VectorSelector) {
	has, ok := d.labels[s.Name]
	if !ok {
		d.errorf("%s: there is no metric %s", where, s.Name)
		return
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		if !slices.Contains(has, m.Name) {
			d.errorf("%s: %s has no label %s", where, s.Name, m.Name)
		}
		values, constant := d.values[m.Name]
		if !constant || strings.HasPrefix(m.Value, "$") {
			continue
		}
		for value := range strings.SplitSeq(m.Value, "|") {
			if !slices.Contains(values, value) {
				d.errorf("%s: the label %s of %s is never %q", where, m.Name, s.Name, value)
			}
		}
	}
}

// result are the labels that the result of an expression may have.
func (d deployed) result(e parser.Expr) []string {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return d.labels[e.Name]
	case *parser.MatrixSelector:
		return d.result(e.VectorSelector)
	case *parser.SubqueryExpr:
		return d.result(e.Expr)
	case *parser.ParenExpr:
		return d.result(e.Expr)
	case *parser.AggregateExpr:
		if e.Without {
			return slices.DeleteFunc(slices.Clone(d.result(e.Expr)), func(l string) bool { return slices.Contains(e.Grouping, l) })
		}
		return e.Grouping
	case *parser.Call:
		var out []string
		for _, arg := range e.Args {
			out = append(out, d.result(arg)...)
		}
		return out
	case *parser.BinaryExpr:
		if e.VectorMatching != nil && e.VectorMatching.On && e.VectorMatching.Card == parser.CardOneToOne && e.Op.IsOperator() && !e.Op.IsSetOperator() {
			return e.VectorMatching.MatchingLabels
		}
		if e.Op == parser.LOR || e.LHS.Type() == parser.ValueTypeScalar {
			return append(slices.Clone(d.result(e.LHS)), d.result(e.RHS)...)
		}
		return d.result(e.LHS)
	}
	return nil
}

var (
	shown    = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
	variable = regexp.MustCompile(`^label_values\((.+), ([a-z_]+)\)$`)
)

// text holds the labels that a legend or a title shows against those of the result.
func (d deployed) text(where, text string, has []string) {
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(has, m[1]) {
			d.errorf("%s: %q shows the label %s, and the result has %q", where, text, m[1], has)
		}
	}
}

func (d deployed) dashboard(t *testing.T, file string) (checked int) {
	t.Helper()
	var board struct {
		Annotations, Templating struct {
			List []struct{ Name, Type, Expr, TitleFormat, TextFormat, Definition string }
		}
		Panels []struct {
			Title      string
			Datasource struct{ UID string }
			Targets    []struct {
				Expr, LegendFormat string
				Datasource         struct{ UID string }
			}
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, file)), &board); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, v := range board.Templating.List {
		if m := variable.FindStringSubmatch(v.Definition); m != nil {
			d.text(file+": variable "+v.Name, "{{"+m[2]+"}}", d.check(file, m[1]))
			checked++
		} else if v.Type != "datasource" {
			t.Errorf("%s: cannot read the variable %s", file, v.Name)
		}
	}
	for _, a := range board.Annotations.List {
		if a.Expr != "" {
			d.text(file, a.TitleFormat+a.TextFormat, d.check(file+": "+a.Name, a.Expr))
			checked++
		}
	}
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			if x.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %s: asks %q, and not the variable's data source", file, p.Title, x.Datasource.UID)
			}
			d.text(file+": "+p.Title, x.LegendFormat, d.check(file+": "+p.Title, x.Expr))
			checked++
		}
	}
	return checked
}

// checkDeployed has every expression of the shipped alerts and dashboards name metrics,
// labels and values that there are.
func checkDeployed(t *testing.T, registry *prometheus.Registry, families []*dto.MetricFamily) {
	d := newDeployed(t, registry, families)
	boards, err := filepath.Glob("../deploy/grafana/*.json")
	if err != nil || len(boards) == 0 {
		t.Fatalf("%q, %v", boards, err)
	}
	for _, file := range boards {
		if n := d.dashboard(t, file); n < 20 {
			t.Errorf("%s: %d expressions", file, n)
		}
	}
	tests := readFile(t, "../deploy/prometheus/windvane.test.yml")
	page := readFile(t, "../docs/alerts.md")
	for _, a := range alertsOf(t) {
		has := d.check(a.Alert, a.Expr)
		for _, text := range a.Annotations {
			for _, m := range regexp.MustCompile(`\$labels\.([a-z_]+)`).FindAllStringSubmatch(text, -1) {
				if !slices.Contains(has, m[1]) {
					t.Errorf("%s: %q shows the label %s, and the result has %q", a.Alert, text, m[1], has)
				}
			}
		}
		a.tested(t, tests)
		a.documented(t, page)
	}
}

type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alertsOf(t *testing.T) (out []alert) {
	t.Helper()
	src, err := os.ReadFile("../deploy/prometheus/windvane.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(src, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) < 15 {
		t.Errorf("%d alerts", len(out))
	}
	return out
}

// tested looks for a test of its name in which it fires, and one in which it does not;
// promtool runs them in integration/suite.
func (a alert) tested(t *testing.T, tests string) {
	t.Helper()
	_, own, ok := strings.Cut(tests, "- name: "+a.Alert+"\n")
	own, _, _ = strings.Cut(own, "\n  - name: ")
	fires := strings.Contains(own, "exp_alerts:\n          - exp_labels:") || strings.Contains(own, "exp_samples: [{labels: 'ALERTS{alertname=\""+a.Alert+"\",alertstate=\"firing\"")
	quiet := regexp.MustCompile(`- \{expr: 'ALERTS\{alertname="` + a.Alert + `",alertstate="firing"\}', eval_time: \w+\}`).MatchString(own)
	if !ok || !fires || !quiet {
		t.Errorf("windvane.test.yml has %s tested: %v, firing: %v, quiet: %v", a.Alert, ok, fires, quiet)
	}
}

func (a alert) documented(t *testing.T, page string) {
	t.Helper()
	anchor := "#" + strings.ToLower(a.Alert)
	after := a.For
	if after == "" {
		after = "at once"
	}
	for _, want := range []string{"\n## " + a.Alert + "\n\n", "\n| [" + a.Alert + "](" + anchor + ") | " + a.Labels["severity"] + " | " + after + " |\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/alerts.md has no %q", want)
		}
	}
	if got, want := a.Annotations["runbook_url"], "https://github.com/windvane/windvane/blob/main/docs/alerts.md"+anchor; got != want {
		t.Errorf("%s: the runbook is at %s, not %s", a.Alert, got, want)
	}
	if missing := slices.DeleteFunc([]string{"summary", "description"}, func(k string) bool { return a.Annotations[k] != "" }); len(missing) > 0 {
		t.Errorf("%s has no %q", a.Alert, missing)
	}
}

// The check knows the labels of results, and finds what is wrong.
func TestDeployedAreChecked(t *testing.T) {
	d := deployed{labels: map[string][]string{"a": {"mesh", "outcome"}}, values: map[string][]string{"outcome": {"hold", "applied"}}, errorf: t.Errorf}
	for expr, want := range map[string][]string{
		`a{outcome="hold"}`:                                   {"mesh", "outcome"},
		`sum by (mesh) (rate(a[$__rate_interval]))`:           {"mesh"},
		`a / on (mesh) a`:                                     {"mesh"},
		`a * on (mesh) group_left () sum by (mesh) (a)`:       {"mesh", "outcome"},
		`sum without (mesh) (a{outcome=~"hold|applied"}) * 2`: {"outcome"},
		`1 - max_over_time(a{mesh=~"$mesh"}[5m:1m])`:          {"mesh", "outcome"},
	} {
		if got := slices.Sorted(slices.Values(d.check("here", expr))); !slices.Equal(got, want) {
			t.Errorf("%s has %q, not %q", expr, got, want)
		}
	}
	var said string
	d.errorf = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	for expr, want := range map[string]string{
		`b`:                       "there is no metric b",
		`a{service="x"}`:          "a has no label service",
		`a{outcome=~"hold|done"}`: `is never "done"`,
		`sum by (service) (a)`:    "nothing below has the label service",
		`sum by (mesh) (a`:        "unclosed",
	} {
		said = ""
		if d.check("here", expr); !strings.Contains(said, want) {
			t.Errorf("of %s it says %q, not %q", expr, said, want)
		}
	}
	said = ""
	if d.text("here", "{{mesh}} {{ code }}", d.check("here", "a")); !strings.Contains(said, "shows the label code") {
		t.Errorf("of a legend it says %q", said)
	}
}
