package ruletest

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected messages of testdata")

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

func TestGood(t *testing.T) {
	results, err := Run(t.Context(), "testdata/good.toml")
	if err != nil {
		t.Fatal(err)
	}
	checks := 0
	for _, r := range results {
		for _, f := range r.Failures {
			t.Errorf("%s: %s", r.Name, f)
		}
		checks += r.Checks
	}
	if len(results) != 3 || checks != 13 {
		t.Errorf("%d tests, %d checks; want 3 and 13", len(results), checks)
	}
}

// Every kind of difference, in words.
func TestFailing(t *testing.T) {
	results, err := Run(t.Context(), "testdata/failing.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || len(results[1].Failures) > 0 {
		t.Errorf("results: %+v", results)
	}
	golden(t, "testdata/failing.want", strings.Join(results[0].Failures, "\n")+"\n")
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 5 {
		t.Fatalf("testdata/bad has %d files (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			results, err := Run(t.Context(), file)
			if err == nil || results != nil {
				t.Fatalf("accepted, with %+v", results)
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".want", err.Error()+"\n")
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, "testdata/good.toml"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Whatever is written as series, it is values or a problem.
func FuzzSeries(f *testing.F) {
	f.Add(`latency{service="a"}`, `0.05x9 _ stale 1+2x10`)
	f.Add(`{"latency"}`, `-1-2x3 NaN Inf`)
	f.Add(`a`, `{{}}x3`)
	f.Add(`a`, `1x99999999999999`)
	f.Fuzz(func(t *testing.T, series, values string) {
		text := "rules = 'shop.toml'\n[[test]]\nname = 'a'\nexpect = []\n[[test.series]]\n"
		for key, v := range map[string]string{"series": series, "values": values} {
			if strings.ContainsAny(v, "'\r") || strings.ContainsRune(v, 0) {
				t.Skip("no TOML literal")
			}
			text += key + " = '''" + v + "'''\n"
		}
		file := filepath.Join(t.TempDir(), "fuzz.toml")
		rules, err := filepath.Abs("testdata/shop.toml")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(text, "shop.toml", rules, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := load(file)
		if err != nil {
			return
		}
		for _, s := range read.tests[0].series {
			if len(s.Times) > maxValues+1000 {
				t.Errorf("%d samples of %q", len(s.Times), values)
			}
		}
	})
}
