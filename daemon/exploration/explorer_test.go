package exploration

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/explore/bounded"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a mesh with one service over two nodes, cycle by cycle.
type world struct {
	t        *testing.T
	dir      string
	explorer *Explorer
	n        int
	live     policy.Action
	frozen   string
	c        loop.Circumstances
	knobs    []policy.Knob
	last     policy.Decision
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), c: loop.Circumstances{Steady: true, Act: true}}
	w.knobs = []policy.Knob{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: .8, Levels: 5},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}, Service: "a", Max: 1, Levels: 6},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"}, Service: "a", Max: 1, Levels: 6},
	}
	for i, v := range []float64{0, .5, .5} {
		w.live = append(w.live, policy.Setting{KnobID: w.knobs[i].KnobID, Value: v})
	}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.explorer, err = Open(w.dir, "shop"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(intervals int, allowance float64, alerts ...journal.Alert) {
	w.t.Helper()
	if err := w.explorer.Start(bounded.Bounds{Intervals: intervals, Allowance: allowance, Seed: 1001}, "ann", start, alerts); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) observe() policy.Observation {
	o := policy.Observation{
		At: start.Add(time.Duration(w.n) * 5 * time.Second), Live: w.live.Clone(), Knobs: w.knobs, Limits: policy.Limits{MaxStep: .2, TotalBlocking: .8, Frozen: w.frozen},
		Services: []policy.Service{{Name: "a", Value: 1, Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}}}},
	}
	offered := 20 + 5*math.Sin(float64(w.n)/5)
	latency := .01
	for _, s := range w.live[1:] {
		latency = math.Max(latency, .02/math.Max(.02, 1-offered*(1-w.live[0].Value)*s.Value/15))
	}
	o.State = policy.State{
		{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: latency, Status: policy.Valid},
		{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: offered, Status: policy.Valid},
	}
	return o
}

// cycles run, and what is decided is in force after each. It reports in how many of them the
// explorer decided.
func (w *world) cycles(n int) (decided int) {
	w.t.Helper()
	for range n {
		w.n++
		o := w.observe()
		d, explores, err := w.explorer.Explore(o, w.c)
		if err != nil {
			w.t.Fatal(err)
		}
		if explores {
			decided++
			w.last, w.live = d, policy.Quantise(guard.Check(o, d.Action).Action)
		}
	}
	return decided
}

func (w *world) phase() phase {
	s := w.explorer.Status()
	if s == nil {
		return ""
	}
	return phase(s.Phase)
}

// Nothing is tried until a person asks for it; then so many intervals are, after each of
// which all is on disk; and in the end the settings of before are in force.
func TestAnExplorationFromBeginningToEnd(t *testing.T) {
	w := newWorld(t)
	if w.cycles(3) > 0 || w.phase() != "" {
		t.Fatal("nobody asked for it")
	}
	before := w.live.Clone()
	w.start(40, 5)
	moved := 0
	for w.phase() == running {
		was := w.live
		w.cycles(1)
		if !w.live.Equal(was, 1e-9) {
			moved++
		}
		if w.n%10 == 0 { // another process
			at := w.explorer.Status().Measured
			if w.open(); w.explorer.Status().Measured != at {
				t.Fatalf("%d intervals after a restart, %d before", w.explorer.Status().Measured, at)
			}
		}
		if w.n > 100 {
			t.Fatalf("%+v after 100 cycles", w.explorer.Status())
		}
	}
	w.cycles(8)
	s := w.explorer.Status()
	if w.phase() != done || !w.live.Equal(before, 1e-9) || moved < 15 || s.Measured != 40 || len(s.Spent) != 1 || s.Spent[0].Violated == 0 || s.By != "ann" {
		t.Errorf("%d moves, %v in force, %v before, status %+v", moved, w.live, before, s)
	}
	if w.cycles(3) > 0 {
		t.Error("it decides after its end")
	}
	w.start(10, 5)
	if s := w.explorer.Status(); s.Measured != 0 || w.phase() != running {
		t.Errorf("begun anew: %+v", s)
	}
}

func TestPausedAndGoneOnWith(t *testing.T) {
	w := newWorld(t)
	before := w.live.Clone()
	w.start(60, 5)
	w.cycles(25)
	if err := w.explorer.Pause("bob"); err != nil {
		t.Fatal(err)
	}
	w.cycles(8)
	at := w.explorer.Status()
	if w.phase() != paused || !w.live.Equal(before, 1e-9) || at.Waiting != "paused by bob" || w.cycles(2) > 0 {
		t.Fatalf("%v in force, %+v", w.live, at)
	}
	w.open()
	w.start(50, 7)
	w.cycles(2)
	if s := w.explorer.Status(); s.Measured <= at.Measured || s.Intervals != 50 || s.Allowance != 7 || !s.Began.Equal(at.Began) {
		t.Errorf("%+v after %+v", s, at)
	}
}

// What is in force and was set by somebody else while nothing was explored is the new
// baseline; what an active policy has set is not.
func TestSettingsOfOthersAreTheNewBaseline(t *testing.T) {
	for _, active := range []bool{false, true} {
		w := newWorld(t)
		w.c.Active = active
		w.start(60, 5)
		w.cycles(20)
		if err := w.explorer.Pause("bob"); err != nil {
			t.Fatal(err)
		}
		w.cycles(8)
		rows := w.explorer.Status().Measured
		w.live[1].Value, w.live[2].Value = .3, .7
		w.start(60, 5)
		w.cycles(3)
		s := w.explorer.Status()
		if begun := s.Measured < rows; begun == active {
			t.Errorf("active %v: %d intervals after %d", active, s.Measured, rows)
		}
		want := .3
		if active {
			want = .5
		}
		if v := w.explorer.state.Session.Baseline[1].Value; v != want {
			t.Errorf("active %v: the baseline is %v, want %v", active, v, want)
		}
	}
}

// It stops for what speaks against trying anything, and goes on by itself.
func TestWaits(t *testing.T) {
	alert := journal.Alert{Name: "CheckoutDown", Fingerprint: "1"}
	for name, c := range map[string]struct {
		change  func(w *world)
		why     string
		decides bool // all the same: to go back
	}{
		"authority":         {func(w *world) { w.c.Act = false }, "authority is not act", false},
		"drift":             {func(w *world) { w.c.Drift = true }, "somebody else", false},
		"freeze":            {func(w *world) { w.frozen = "freeze" }, "(freeze)", false},
		"alert":             {func(w *world) { w.c.Alerts = []journal.Alert{alert} }, "CheckoutDown", true},
		"alert, and active": {func(w *world) { w.c.Alerts, w.c.Active = []journal.Alert{alert}, true }, "CheckoutDown", false},
	} {
		w := newWorld(t)
		w.start(60, 5)
		w.cycles(20)
		rows := w.explorer.Status().Measured
		c.change(w)
		decided := w.cycles(6)
		if s := w.explorer.Status(); !strings.Contains(s.Waiting, c.why) || s.Measured > rows+1 || (decided > 0) != c.decides || w.phase() != running {
			t.Errorf("%s: decided %d times, %d intervals after %d, %+v", name, decided, s.Measured, rows, s)
		}
		if c.decides && (w.live[1].Value != .5 || !strings.Contains(w.last.Reason, "go back")) {
			t.Errorf("%s: %v in force, because it %s", name, w.live, w.last.Reason)
		}
		w.c, w.frozen = loop.Circumstances{Steady: true, Act: true}, ""
		if w.cycles(3); w.explorer.Status().Waiting != "" || w.explorer.Status().Measured <= rows {
			t.Errorf("%s: does not go on: %+v", name, w.explorer.Status())
		}
	}
}

// An alert that fired when it was asked for is why it was asked for.
func TestAnAlertOfBeforeIsNoReason(t *testing.T) {
	w := newWorld(t)
	known := journal.Alert{Name: "Slow", Fingerprint: "7"}
	w.start(60, 5, known)
	w.c.Alerts = []journal.Alert{known}
	if n := w.cycles(10); n != 10 {
		t.Errorf("it decided in %d of 10 cycles: %+v", n, w.explorer.Status())
	}
}

// While the last change is being measured, or in a cycle between two intervals, what is in
// force stays.
func TestLetsASettingBeMeasured(t *testing.T) {
	w := newWorld(t)
	w.start(60, 5)
	w.cycles(20)
	for _, change := range []func(){func() { w.frozen = "cooldown" }, func() { w.frozen, w.c.Woken = "", true }} {
		change()
		was := w.live.Clone()
		if n := w.cycles(1); n != 1 || !w.live.Equal(was, 1e-9) {
			t.Errorf("%d decisions, %v after %v", n, w.live, was)
		}
	}
	rows := w.explorer.Status().Measured
	w.c = loop.Circumstances{Act: true} // not steady
	if w.cycles(3); w.explorer.Status().Measured != rows {
		t.Error("intervals count in which settings had not settled")
	}
}

// Without its state on disk nothing is tried.
func TestNothingIsTriedWithoutItsState(t *testing.T) {
	w := newWorld(t)
	w.start(60, 5)
	w.cycles(12)
	path := filepath.Join(w.dir, "exploration")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rows := w.explorer.Status().Measured
	if _, explores, err := w.explorer.Explore(w.observe(), w.c); explores || err == nil || !strings.Contains(err.Error(), "make room") || w.explorer.Status().Measured != rows {
		t.Errorf("explores %v, %v, %+v", explores, err, w.explorer.Status())
	}
	if err := w.explorer.Start(bounded.Bounds{Intervals: 5}, "ann", start, nil); err == nil {
		t.Error("begun without a place to keep it")
	}
	if err := w.explorer.Start(bounded.Bounds{}, "ann", start, nil); err == nil || !strings.Contains(err.Error(), "0 intervals") {
		t.Errorf("%v", err)
	}
}

// Another rules file ends it, and a damaged state is said.
func TestWhatDoesNotFitAnyMore(t *testing.T) {
	w := newWorld(t)
	w.start(60, 5)
	w.cycles(12)
	w.knobs[0].Target, w.live[0].Target, w.c.Active = "b", "b", true
	if n := w.cycles(2); n > 0 || w.phase() != failed || !strings.Contains(w.explorer.Status().Waiting, "baseline does not fit") {
		t.Errorf("%d decisions, %+v", n, w.explorer.Status())
	}
	if err := os.WriteFile(file(w.dir, "shop"), []byte(`{"session": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := Open(w.dir, "shop")
	if err == nil || !strings.Contains(err.Error(), "damaged") || e.Status() != nil {
		t.Errorf("%v, %+v", err, e.Status())
	}
}
