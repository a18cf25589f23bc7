package main

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
)

// The test binary is also the plugin.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		main()
	}
	os.Exit(m.Run())
}

func TestIsWhatAHostExpects(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	report, err := conformance.Check(t.Context(), conformance.Options{
		Command: []string{exe, "serve"}, Observation: plugintest.Observation(plugintest.Knobs("a", "b"), .06, 10, 20),
		Deadline: 5 * time.Second, Calls: 200, Seed: 1000,
	}, func(r conformance.Result) {
		if len(r.Findings) > 0 {
			t.Errorf("%s: %q", r.Check, r.Findings)
		}
	})
	if err != nil || report.Policy != "shed" {
		t.Errorf("policy %q, %v", report.Policy, err)
	}
}

func TestShedsAndTakesBack(t *testing.T) {
	for name, c := range map[string]struct {
		latency, live, want float64
		status              policy.Status
	}{
		"above its bound":      {.08, .3, .4, policy.Valid},
		"above it, at the end": {.08, 1, 1, policy.Valid},
		"near its bound":       {.055, .3, .3, policy.Valid},
		"far below":            {.01, .3, .2, policy.Valid},
		"not known":            {.01, .3, .3, policy.Stale},
	} {
		o := plugintest.Observation(plugintest.Knobs("a", "b"), .06, 10, 20)
		i := slices.IndexFunc(o.Knobs, func(k policy.Knob) bool { return k.Kind == policy.Blocking && k.Service == "a" })
		o.Live[i].Value = c.live
		for j := range o.State {
			if s := &o.State[j]; s.Service == "a" && s.Role == policy.RoleLatency {
				s.Value, s.Status = c.latency, c.status
			}
		}
		d, err := (&shed{step: .1}).Decide(t.Context(), o)
		if err != nil || d.Abstain || d.Action[i].Value < c.want-1e-9 || d.Action[i].Value > c.want+1e-9 {
			t.Errorf("%s: %+v, %v; want blocking %v", name, d, err, c.want)
		}
	}
}
