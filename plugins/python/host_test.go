// Package python_test runs plugins that are written with the package for Python under
// windvane's own host. It needs an interpreter that has the package, named by
// WINDVANE_PYTHON, as `make python` makes one.
package python_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/lockedbuffer"
	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
)

// interpreter is the one to run plugins with.
func interpreter(t *testing.T) string {
	t.Helper()
	python := os.Getenv("WINDVANE_PYTHON")
	if python == "" {
		t.Skip("WINDVANE_PYTHON names no interpreter; `make python` runs this test")
	}
	return python
}

// start runs a plugin in Python under a host until the test ends.
func start(t *testing.T, args ...string) (*host.Host, func() string) {
	t.Helper()
	python := interpreter(t)
	var log lockedbuffer.Buffer
	h := host.New(host.Options{
		Name: "python", Path: python, Args: args, StartTimeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		h.Stop(ctx)
	})
	if err := h.Start(context.Background()); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return h, log.String
}

// observed is a small mesh whose services have a latency of 50 ms.
func observed(bound float64) policy.Observation {
	return plugintest.Observation(plugintest.Knobs("a", "b"), bound, 20, 20)
}

func decide(t *testing.T, p policy.Policy, o policy.Observation) policy.Decision {
	t.Helper()
	d, err := p.Decide(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestThreshold(t *testing.T) {
	h, _ := start(t, "examples/threshold.py")
	if d, err := h.Describe(t.Context()); err != nil || d != (policy.Description{Name: "ten-lines", Version: "1.0.0"}) {
		t.Errorf("%+v, %v", d, err)
	}
	for _, c := range []struct {
		what                string
		bound, before, want float64
		change              func(*policy.Observation)
	}{
		{"above the bound", .04, .2, .3, nil},
		{"no more than all", .04, 1, 1, nil},
		{"near the bound", .055, .2, .2, nil},
		{"well below it", .1, .2, .15, nil},
		{"within the guard's step", .1, .2, .19, func(o *policy.Observation) { o.Limits.MaxStep = .01 }},
		{"frozen", .1, .2, .2, func(o *policy.Observation) { o.Limits.Frozen = "cooldown" }},
		{"not known", .04, .2, .2, func(o *policy.Observation) { o.State[0].Status = policy.Stale }},
	} {
		o := observed(c.bound)
		o.Live[0].Value = c.before
		if c.change != nil {
			c.change(&o)
		}
		d := decide(t, h, o)
		if got, _ := plugintest.Of(d.Action, "a"); math.Abs(got-c.want) > 1e-12 || d.Reason == "" {
			t.Errorf("%s: blocking %v becomes %v, want %v (%s)", c.what, c.before, got, c.want, d.Reason)
		}
		if err := d.Action.Validate(o.Knobs); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// The example passes what `windvane plugin check` checks.
func TestThresholdConforms(t *testing.T) {
	o := conformance.Options{
		Command: []string{interpreter(t), "examples/threshold.py"}, Observation: observed(.04), Calls: 1000, Seed: 1000, Deadline: 5 * time.Second,
	}
	_, err := conformance.Check(t.Context(), o, func(r conformance.Result) {
		if len(r.Findings) > 0 {
			t.Errorf("%s: %q", r.Check, r.Findings)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnswersSurviveTheWire(t *testing.T) {
	h, log := start(t, "tests/odd.py")
	o := observed(.1)
	d := decide(t, h, o)
	if !d.Infeasible || !d.Action.Equal(o.Live, 0) || d.Reason != strings.Repeat("ö", 2048) {
		t.Errorf("%+v", d)
	}
	if want := (policy.Prediction{Service: "a", Signal: "latency", Value: .25, Supported: true, Risk: .5, Scale: 1.5}); len(d.Expected) != 1 || d.Expected[0] != want {
		t.Errorf("expected %+v, want %+v", d.Expected, want)
	}
	if want := (policy.Prediction{Service: "a", Signal: "latency", Value: .5}); len(d.ExpectedLive) != 1 || d.ExpectedLive[0] != want {
		t.Errorf("expected live %+v, want %+v", d.ExpectedLive, want)
	}
	if len(d.Alternatives) != 1 || d.Alternatives[0].Score != 3.5 || d.Alternatives[0].Reason != "dearer" || d.Alternatives[0].Action[0].Value != .5 {
		t.Errorf("alternatives %+v", d.Alternatives)
	}
	o.Mesh = "abstain"
	if d := decide(t, h, o); !d.Abstain || d.Reason != "rather not" {
		t.Errorf("%+v", d)
	}
	table, err := h.Export(t.Context(), 1)
	if err != nil || len(table.Columns) != 2 || len(table.Rows) != 1 || table.Rows[0][0] != "10" || table.Note != "the rest" {
		t.Errorf("%+v, %v", table, err)
	}
	h.Stop(t.Context()) // has the last line of the log
	for _, want := range []string{"level=WARN msg=\"logged while deciding\"", "services=2", "printed while deciding"} {
		if !strings.Contains(log(), want) {
			t.Errorf("the host's log has no %q:\n%s", want, log())
		}
	}
}

func TestMistakesAreErrorsOfTheirCall(t *testing.T) {
	h, log := start(t, "tests/odd.py")
	for mesh, want := range map[string]string{
		"raise":   "decide: RuntimeError: no idea",
		"nothing": "decide returned NoneType, want a windvane.Decision",
		"part":    "action: no value for blocking of b; start from dict(observation.live)",
		"far":     "action: blocking of a = 1.5 is outside [0, 1]",
		"unequal": "action: the weights of ns/vs/a sum to 0.5, want 1",
		"strange": "there is no knob blocking of nobody",
	} {
		o := observed(.1)
		o.Mesh = mesh
		if _, err := h.Decide(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", mesh, err, want)
		}
	}
	bad := observed(.1)
	bad.State[1].Value = math.Inf(1)
	if _, err := h.Decide(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "signal offered of a: inf is not a finite number") {
		t.Errorf("a number that is none: %v", err)
	}
	if err := h.Configure(t.Context(), policy.Config{Settings: []byte(`["blue"]`)}); err == nil || !strings.Contains(err.Error(), "is no JSON object") {
		t.Errorf("settings of another kind: %v", err)
	}
	if err := h.Configure(t.Context(), policy.Config{Settings: []byte(`{"colour": "blue"}`)}); err == nil || !strings.Contains(err.Error(), "blue is sold out") {
		t.Errorf("settings that cannot be used: %v", err)
	}
	if s := h.Status(); !s.Up || s.Restarts != 0 {
		t.Errorf("%+v; want it up still", s)
	}
	if !strings.Contains(log(), `raise RuntimeError(\"no idea\")`) {
		t.Errorf("the traceback is not in the host's log:\n%s", log())
	}
}

func TestEndsWhileAtWork(t *testing.T) {
	h, _ := start(t, "tests/odd.py")
	o := observed(.1)
	o.Mesh = "slow"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Decide(ctx, o); err == nil {
		t.Error("an answer in 50 ms to what takes a minute")
	}
	h.Stop(t.Context()) // in less than the minute, or the test does not end
}

func TestTrain(t *testing.T) {
	python := interpreter(t)
	var told []string
	options := host.Options{Name: "odd", Path: python, Args: []string{"tests/odd.py"}, StartTimeout: time.Minute}
	trained, err := host.Train(t.Context(), options, policy.Training{
		Simulator: "unix:/s", Seed: 7, Progress: func(done, total uint64, note string) { told = append(told, fmt.Sprint(done, total, note)) },
	})
	if err != nil || string(trained.Artefact) != "unix:/s 7" || trained.Summary != "learned it by heart" {
		t.Errorf("%+v, %v", trained, err)
	}
	if len(told) != 1 || told[0] != "1 2half of it" {
		t.Errorf("told %q", told)
	}
	if _, err := host.Train(t.Context(), options, policy.Training{Settings: []byte(`{"fail": true}`), Progress: func(uint64, uint64, string) {}}); err == nil || !strings.Contains(err.Error(), "a network that learns nothing") {
		t.Errorf("a training that fails: %v", err)
	}
}
