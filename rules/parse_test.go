package rules

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/plugins/policy"
)

var plain = cmp.Options{cmpopts.IgnoreUnexported(Mesh{}, Query{})}

func TestLoadOfTheDesignsExample(t *testing.T) {
	got, err := Load("testdata/good/shop.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Mesh{
		Name: "shop", File: "testdata/good/shop.toml", Prometheus: "main", Interval: 5 * time.Second, Settle: 2 * time.Second,
		Signals: Signals{By: "service", Queries: []Query{
			{Name: "carried", Role: policy.RoleCarried, Expr: "windvane:carried:rate"},
			{Name: "latency", Role: policy.RoleLatency, Expr: "windvane:latency_seconds:p95"},
			{Name: "offered", Role: policy.RoleOffered, Expr: "windvane:offered:rate"},
		}},
		Services: []Service{{
			Name: "information", Value: 1, MinimumCarried: 2,
			Objectives: []Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .035, Target: .95, Window: time.Hour}},
			Routes:     []Route{{VirtualService: "default/front", HTTP: "information", Destinations: []string{"v1", "v2"}, Levels: 6}},
			Blocking:   &Blocking{Maximum: .8, Status: 429, Levels: 6},
		}},
		Workloads: []Workload{{Name: "node-v1", Deployment: "default/node-v1", Minimum: 1, Maximum: 5, Cost: .2}},
		Guard:     Guard{Authority: AuthorityObserve, MaxStep: .2, TotalBlocking: .5, ChangesPerHour: 600, OnDrift: OnDriftHold, ApprovalExpiry: 15 * time.Minute, OnStop: OnStopHold, OnNoData: OnNoDataHold, NoDataGrace: 10 * time.Minute, Cooldown: 2 * time.Second},
		Policies:  []PolicyRef{{Name: "planner", Plugin: "planner", Role: RoleActive}},
		Promotion: DefaultPromotion,
	}
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("mesh (-want +got):\n%s", d)
	}
	if w := got.Warnings(); len(w) != 1 || w[0].Key != "guard.total_blocking" {
		t.Errorf("warnings: %v, want the one of the cap", w)
	}
}

var update = flag.Bool("update", false, "rewrite the expected messages of testdata/bad")

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 25 {
		t.Fatalf("testdata/bad has %d files (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), src)
			if _, ok := errors.AsType[Problems](err); !ok {
				t.Fatalf("got %v, want Problems", err)
			}
			golden := strings.TrimSuffix(file, ".toml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if d := cmp.Diff(string(want), err.Error()+"\n"); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
		})
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("directory: %v", err)
	}
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, make([]byte, MaxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	want := large + ": the file is larger than 1 MiB (is it the right file?)"
	if _, err := Load(large); err == nil || err.Error() != want {
		t.Errorf("large file: got %v, want %s", err, want)
	}
}

// Deep nesting is what breaks recursive readers.
func TestParseSurvivesDeepNesting(t *testing.T) {
	for name, src := range map[string]string{
		"header":  "[" + strings.Repeat("a.", 200_000) + "a]",
		"headers": strings.Repeat("[[a]]\n", 50_000),
		"arrays":  "x = " + strings.Repeat("[", 500_000),
		"closed":  "x = " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"tables":  "x = " + strings.Repeat("{a=", 300_000),
		"keys":    strings.Repeat("a.", 200_000) + "a = 1",
		"parens":  "[signals]\noffered = '" + strings.Repeat("(", 8000) + "x" + strings.Repeat(")", 8000) + "'",
		"unary":   "[signals]\noffered = '" + strings.Repeat("-", 16000) + "x'",
		"too big": "[signals]\noffered = '" + strings.Repeat("(", 20_000) + "'",
	} {
		if _, err := Parse("deep.toml", []byte(src)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.toml", "testdata/bad/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := Parse("fuzz.toml", src)
		if err == nil {
			for _, k := range m.Knobs() {
				if _, err := policy.ParseKnobID(k.String()); err != nil {
					t.Errorf("accepted a knob that cannot be read back: %v", err)
				}
			}
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("error %v is not of type Problems", err)
		}
		lines := 1 + strings.Count(string(src), "\n")
		for _, p := range problems {
			if p.File != "fuzz.toml" || p.Message == "" || p.Line < 0 || p.Line > lines+1 {
				t.Errorf("problem %+v in a file of %d lines", p, lines)
			}
		}
	})
}
