package slo

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules"
)

var update = flag.Bool("update", false, "rewrite the expected files of testdata")

func options(file string) Options {
	from, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "-")
	return Options{From: from, File: filepath.Base(file), Interval: DefaultInterval}
}

// Every format, in full: what is made of it, and the list of what is not.
func TestImport(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("testdata has %d files (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, lost, err := Import(src, options(file))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lost {
				if !strings.Contains(string(got), "#   "+l.Path) {
					t.Errorf("%s is lost, but the file does not say so", l.Path)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".toml"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s", golden, d)
			}
		})
	}
}

// Budgets are those of the original.
func TestBudgetsAreKept(t *testing.T) {
	for file, want := range map[string]string{
		"sloth.yaml":            "checkout: 0.001 in 30d, 0.05 in 30d, 0.01 in 30d",
		"sloth-kubernetes.yaml": "checkout: 0.005 in 30d",
		"openslo.yaml":          "search: 0.005 in 28d, 0.01 in 30d, 0.05 below 0.25 in 7d; indexer: 0.1 in 1d, 0.1 in 1d",
		"openslo-v1alpha.yaml":  "search: 0.05 in 30d",
		"pyrra.yaml":            "cart-errors: 0.005 in 28d; cart-latency: 0.1 in 14d; cart-native: 0.05 in 14d; cart-up: 0.01 in 14d",
	} {
		src, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		toml, _, err := Import(src, options(file))
		if err != nil {
			t.Fatal(err)
		}
		m, err := rules.Parse(file, toml)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range m.Services {
			var budgets []string
			for _, o := range s.Objectives {
				text := fmt.Sprint(o.Budget())
				if o.Bound > 0 {
					text += fmt.Sprintf(" below %v", o.Bound)
				}
				budgets = append(budgets, fmt.Sprintf("%s in %dd", text, o.Window/day))
			}
			got = append(got, s.Name+": "+strings.Join(budgets, ", "))
		}
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("%s:\ngot  %s\nwant %s", file, text, want)
		}
	}
}

const slothText = `
version: prometheus/v1
service: %s
slos:
  - name: a
    objective: %s
    sli: {events: {error_query: '%s', total_query: 'sum(rate(b[{{.window}}]))'}}
`

// bomb is a few lines that stand for a billion items.
func bomb() string {
	text := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		text += fmt.Sprintf("%c: &%[1]c [%s]\n", c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	return text
}

// The names of metrics say whether a threshold is a time.
func TestUnits(t *testing.T) {
	for expr, want := range map[string]float64{
		"histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[1m])))":      1,
		"histogram_quantile(0.9, sum by (le) (rate(x_milliseconds_bucket[1m])))": 1000,
		"max(windvane:latency_seconds:p95)":                                      1,
		"max(x_ms)":                                                              1000,
		"sum(rate(x_seconds_bucket{le='1'}[1m]))":                                0,
		"sum(rate(x_seconds_count[1m]))":                                         0,
		"sum(x_msgs)":                                                            0,
		"max(x_microseconds)":                                                    0,
		"max(x_seconds) + max(y_ms)":                                             0,
		"max(x_seconds) + max(y)":                                                0,
		"vector(1)":                                                              0,
		"((":                                                                     0,
	} {
		if got := unit(expr); got != want {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
	}
	for seconds, want := range map[float64]string{.25: "250ms", 1.5: "1s500ms", .0355: "", 0: "", -1: "", 1e12: "", .001: "1ms", .3: "300ms"} {
		if got, ok := bound(seconds); got != want || ok != (want != "") {
			t.Errorf("%v seconds: %q, %v; want %q", seconds, got, ok, want)
		}
	}
}

func TestNothingToCarryOver(t *testing.T) {
	sloth := func(service, objective, query string) string {
		return fmt.Sprintf(slothText, service, objective, query)
	}
	for _, tc := range []struct{ name, from, src, want string }{
		{"empty", FromSloth, "", "there is no document in it"},
		{"only comments", FromPyrra, "# nothing\n---\n# more\n", "there is no document in it"},
		{"no YAML", FromSloth, "a: [", "document 1: "},
		{"a scalar", FromOpenSLO, "hello", "no objective of format openslo"},
		{"another format", FromPyrra, sloth("a", "99", "sum(rate(a[{{.window}}]))"), `a "" is no objective`},
		{"a bomb of aliases", FromSloth, bomb(), "excessive aliasing"},
		{"deep", FromSloth, strings.Repeat("[", 50_000), "exceeded max depth"},
		{"no target", FromSloth, sloth("a", "much", "x"), "it has no target"},
		{"no budget", FromSloth, sloth("a", "100", "x"), "a target of 1 leaves no error budget"},
		{"a target below 0", FromSloth, sloth("a", "-1", "x"), "a target of -0.01 leaves no error budget"},
		{"not a number", FromSloth, sloth("a", ".nan", "x"), "unsupported value: NaN"},
		{"no PromQL", FromSloth, sloth("a", "99", "sum(rate("), "its query PromQL: "},
		{"another template", FromSloth, sloth("a", "99", "sum(rate(a[{{.window}}])) + {{.other}}"), "a template other than {{.window}}"},
		{"a scalar query", FromSloth, sloth("a", "99", "1"), "its query is a scalar, want an instant vector"},
		{"a long query", FromSloth, sloth("a", "99", strings.Repeat("a+", 9000)+"a"), "is longer than 16 KiB"},
		{"a deep query", FromSloth, sloth("a", "99", strings.Repeat("(", 2000)+"a"+strings.Repeat(")", 2000)), "has 2000 operators and parentheses"},
		{"no window", FromPyrra, "kind: ServiceLevelObjective\nspec: {target: '99'}", "its window: "},
		{"a short window", FromPyrra, "kind: ServiceLevelObjective\nspec: {target: '99', window: 1s}", "a window of 1s is shorter than the interval of 30s"},
		{"no indicator", FromPyrra, "kind: ServiceLevelObjective\nspec: {target: '99', window: 1w}", "its indicator is none of"},
		{"no SLI", FromOpenSLO, "kind: SLO\nspec: {indicatorRef: x, timeWindow: [{duration: 1d}]}", `there is no SLI "x" in the file`},
		{"two windows", FromOpenSLO, "kind: SLO\nspec: {timeWindow: [{duration: 1d}, {duration: 2d}]}", "it has 2 time windows, want 1"},
		{"a window of nothing", FromOpenSLO, "kind: SLO\nspec: {timeWindow: [{duration: 0d}]}", "its time window is none that is known"},
		{"a window of no unit", FromOpenSLO, "kind: SLO\nspec: {timeWindow: [{duration: 1x}]}", `its time window "1x" is not a duration`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			toml, lost, err := Import([]byte(tc.src), Options{From: tc.from, File: "x.yaml", Interval: DefaultInterval})
			if err == nil {
				t.Fatalf("made of it:\n%s", toml)
			}
			all := err.Error()
			for _, l := range lost {
				all += "\n" + l.String()
			}
			if !strings.Contains(all, tc.want) || !strings.HasPrefix(all, "x.yaml: ") {
				t.Errorf("got %s\nwant %s", all, tc.want)
			}
		})
	}
	for _, o := range []Options{{From: FromSloth}, {From: "other", Interval: time.Second}} {
		if _, _, err := Import([]byte("a: 1"), o); err == nil {
			t.Errorf("accepted %+v", o)
		}
	}
}

// Names and texts of any kind end up as names and comments of a rules file.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"a b/c", "..", "ä", `"'''"`, "\"# \\n[[x]]\"", strings.Repeat("n", 1000), "\"\\u0000\\x7f\""} {
		src := fmt.Sprintf(slothText, name, "99", "sum(rate(a[{{.window}}]))")
		src = strings.Replace(src, "name: a", "name: "+name+"\n    description: "+name, 1)
		toml, _, err := Import([]byte(src), Options{From: FromSloth, File: "x.yaml", Interval: DefaultInterval})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		m, err := rules.Parse("x.toml", toml)
		if err != nil || len(m.Services) != 1 {
			t.Errorf("%q: %v\n%s", name, err, toml)
		}
	}
}

// Whatever comes in, it is a rules file that passes, or an error; fields are never lost
// in silence.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(options(file).From, src)
	}
	f.Add(FromSloth, []byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, from string, src []byte) {
		if len(src) > 1<<14 {
			t.Skip("large")
		}
		toml, lost, err := Import(src, Options{From: from, File: "fuzz", Interval: DefaultInterval})
		if err != nil {
			if strings.Contains(err.Error(), "no rules file") {
				t.Errorf("%v\n%s", err, toml)
			}
			return
		}
		if _, err := rules.Parse("fuzz.toml", toml); err != nil {
			t.Errorf("%v\n%s", err, toml)
		}
		for _, l := range lost {
			if l.Path == "" {
				t.Errorf("a field without a path is lost: %+v", l)
			}
		}
	})
}
