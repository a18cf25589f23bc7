package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/sim/testbed"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each mistake in what the user wrote is named with its file, and New leaves nothing behind.
func TestNewRefusesBadFiles(t *testing.T) {
	for _, c := range []struct {
		name, file, from, to string
		want                 []string
	}{
		{"broken TOML", "windvane.toml", "[kubernetes]", "[kubernetes", []string{"windvane.toml:10"}},
		{"unknown key", "windvane.toml", "kubeconfig_file", "kubeconfg_file", []string{"windvane.toml:10", "kubeconfg_file", "kubeconfig_file"}},
		{"NaN bound", "rules.d/shop.toml", `target = 0.95`, `target = nan`, []string{"rules.d/shop.toml:18", "target"}},
		{"PromQL", "rules.d/shop.toml", `'windvane:offered:rate'`, `'rate(windvane:offered:rate'`, []string{"rules.d/shop.toml:9", "signals.offered", "PromQL"}},
		{"unknown plugin", "rules.d/shop.toml", `plugin = "rules"`, `plugin = "rulez"`, []string{"rules.d/shop.toml", "rulez", `"rules"`}},
		{"no artefact", "rules.d/shop.toml", `plugin = "rules"`, "plugin = \"planner\"\nartefact = \"nothing\"", []string{"nothing", "windvane train"}},
		{"no kubeconfig", "windvane.toml", `kubeconfig_file = "kubeconfig"`, `kubeconfig_file = "nowhere"`, []string{"nowhere", "kubeconfig_file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, "act", thresholdActive)
			text := readFile(t, filepath.Join(r.dir, c.file))
			if !strings.Contains(text, c.from) {
				t.Fatalf("%s has no %s", c.file, c.from)
			}
			r.write(c.file, strings.Replace(text, c.from, c.to, 1))
			_, err := daemon.New(t.Context(), daemon.Options{ConfigFile: filepath.Join(r.dir, "windvane.toml")})
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error does not name %s: %v", w, err)
				}
			}
			if strings.Contains(c.name, "artefact") || strings.Contains(c.name, "kubeconfig") {
				j, _, err := journal.Open(daemon.JournalDirectory(filepath.Join(r.dir, "state")))
				if err != nil {
					t.Fatalf("New left the journal locked: %v", err)
				}
				_ = j.Close()
			}
		})
	}
}

func TestTruncatedJournalIsRepairedAndSaidSo(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	before := r.run(10)
	r.stop()
	segment := filepath.Join(daemon.JournalDirectory(filepath.Join(r.dir, "state")), "00000001.jsonl")
	info, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segment, info.Size()-20); err != nil {
		t.Fatal(err)
	}
	r.start()
	if !strings.Contains(r.log.String(), "the journal was repaired") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
	report := r.run(1)[0]
	last := before[len(before)-1].Intent.Cycle
	if report.Intent.Cycle != last { // the torn record was the last intent: its number is free again
		t.Errorf("cycle %d after the last intent, %d, was torn off", report.Intent.Cycle, last)
	}
	if _, err := journal.Verify(filepath.Dir(segment)); err != nil {
		t.Error(err)
	}
}

func TestPrometheusDownAtStart(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.testbed.Fail(testbed.Faults{Prometheus: true})
	r.start()
	for _, report := range r.run(3) {
		if report.Intent.Hold != "no_data" || len(report.Problems) == 0 {
			t.Errorf("cycle %d: hold %q, %d problems", report.Intent.Cycle, report.Intent.Hold, len(report.Problems))
		}
	}
	r.testbed.Fail(testbed.Faults{})
	if h := holds(r.run(6)[3:]); len(h) > 0 {
		t.Errorf("still held after Prometheus came up: %v", join(h))
	}
}

func TestScrapesFailing(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	r.run(20)
	blocked := r.testbed.Settings().Blocking
	r.testbed.Fail(testbed.Faults{Scrapes: true})
	for _, report := range r.run(5)[1:] {
		if report.Intent.Hold != "no_data" {
			t.Errorf("cycle %d: hold %q without scrapes, want no_data", report.Intent.Cycle, report.Intent.Hold)
		}
	}
	if got := r.testbed.Settings().Blocking; got[0] < blocked[0]-.4 || got[1] < blocked[1]-.4 {
		t.Errorf("protection was loosened without scrapes: %v, then %v", blocked, got)
	}
}
