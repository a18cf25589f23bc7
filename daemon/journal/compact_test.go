package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// cycles makes the records of a mesh as the loop does: settings that change now and then,
// control state that moves with each interval that is measured. With a flow above 0, it has a
// correction over routes.
type cycles struct {
	rng      *rand.Rand
	n        int
	acts     float64 // share of the cycles
	held     bool    // nothing is measured: the control state stays
	knobs    []policy.Knob
	services []policy.Service
	control  margin.Control
	live     policy.Action
	changes  []int64
}

func newCycles(services int, acts, flow float64) *cycles {
	c := &cycles{rng: rand.New(rand.NewPCG(1000, 2)), acts: acts}
	for i := range services {
		name := fmt.Sprintf("service-%04d", i)
		c.services = append(c.services, policy.Service{Name: name, Value: 1, Floor: 2, Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: .3, Budget: .05},
		}})
		c.knobs = append(c.knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: .8, Levels: 6})
		for _, v := range []string{"v1", "v2"} {
			id := policy.KnobID{Kind: policy.Weight, Target: "default/front-" + name + "/" + name, Part: v}
			c.knobs = append(c.knobs, policy.Knob{KnobID: id, Service: name, Max: 1, Levels: 6})
			c.live = append(c.live, policy.Setting{KnobID: id, Value: .5})
		}
		c.live = append(c.live, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}})
	}
	c.live.Sort()
	c.control = margin.Control(nil).Adopt(margin.Defaults(), c.services, func(string, string) margin.Calibration {
		return margin.Calibration{Margin: .1, Spread: .1, Flow: flow}
	})
	return c
}

// next returns the outcome of the cycle before, and an intent.
func (c *cycles) next() (Outcome, Intent) {
	c.n++
	at := start.Add(time.Duration(c.n) * 5 * time.Second)
	var state policy.State
	for _, s := range c.services {
		state = append(
			state,
			policy.Signal{Name: "carried", Service: s.Name, Role: policy.RoleCarried, Value: 18 + c.rng.Float64(), At: at, Status: policy.Valid},
			policy.Signal{Name: "latency", Service: s.Name, Role: policy.RoleLatency, Value: .2 + .1*c.rng.Float64(), At: at, Status: policy.Valid},
			policy.Signal{Name: "offered", Service: s.Name, Role: policy.RoleOffered, Value: 20 + c.rng.Float64(), At: at, Status: policy.Valid},
		)
	}
	outcome := Outcome{Cycle: uint64(c.n - 1), Result: ResultConverged, Live: c.live.Clone(), State: state}
	if !c.held {
		var measured []margin.Measured
		c.control, measured = c.control.Measure(margin.Defaults(), c.services, state, margin.Choice{Counted: true})
		for _, m := range measured {
			outcome.Errors = append(outcome.Errors, ObjectiveError{Service: m.Service, Signal: m.Signal, Error: m.Error, Known: m.Known, Counted: m.Counted, Expected: .25})
		}
	}
	i := Intent{
		Cycle: uint64(c.n), Authority: "act", Policy: "planner", PolicyRole: RoleActive, State: state, Live: c.live.Clone(),
		Services: c.control.Hand(margin.Defaults(), c.services, margin.Pending), Limits: policy.Limits{MaxStep: .2, TotalBlocking: .5},
		Knobs: c.knobs, Commanded: c.live.Clone(), Baseline: map[string]json.RawMessage{"VirtualService default/front": []byte(`{"weights":[50,50]}`)},
	}
	o := policy.Observation{State: state, Live: i.Live, Knobs: c.knobs, Services: i.Services}
	d := policy.Decision{Action: c.live.Clone(), Reason: "the value of the carried load is the greatest"}
	for _, s := range c.services {
		d.Expected = append(d.Expected, policy.Prediction{Service: s.Name, Signal: "latency", Value: .25 + .01*c.rng.Float64(), Supported: true})
	}
	d.ExpectedLive = d.Expected
	if c.rng.Float64() < c.acts {
		for k := range len(d.Action) / 20 {
			if s := &d.Action[20*k]; s.Kind == policy.Blocking {
				s.Value = .2 * float64(c.rng.IntN(5))
			}
		}
		d.Action[0].Value = .2 * float64(c.rng.IntN(5))
	}
	for range policy.MaxAlternatives {
		a := d.Action.Clone()
		a[c.rng.IntN(len(a))].Value = c.rng.Float64()
		d.Alternatives = append(d.Alternatives, policy.Alternative{Action: a, Score: 30 + c.rng.Float64(), Reason: "another level of one knob"})
	}
	if !c.held && c.n > 1 {
		c.control = c.control.Compare(margin.Defaults(), &o, d.ExpectedLive)
	}
	i.Decision, i.Guarded, i.Plan = &d, d.Action.Clone(), policy.Diff(c.live, d.Action, 1e-9)
	if c.n%7 < 3 {
		i.Sources = []AuthoritySource{{Source: "file", Level: "act", By: "shop.toml"}, {Source: "command", Level: "act", By: "alice", Since: at}}
	}
	i.Act = len(i.Plan) > 0
	if i.Act {
		c.live = i.Guarded.Clone()
		i.Commanded = c.live.Clone()
		c.changes = append(slices.Clone(c.changes[max(0, len(c.changes)-20):]), at.UnixMilli())
	}
	i.Changes = c.changes
	raw, err := plain(c.control)
	if err != nil {
		panic(err)
	}
	i.Control = raw
	return outcome, i
}

func appendCycle(t testing.TB, j *Journal, mesh string, outcome Outcome, intent Intent) {
	t.Helper()
	at := intent.State[0].At
	if outcome.Cycle > 0 {
		if _, err := j.Append(at, mesh, KindOutcome, &outcome, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Append(at, mesh, KindIntent, &intent, intent.Act); err != nil {
		t.Fatal(err)
	}
}

// stripped is an intent as it reads back: alternatives say only what differs.
func stripped(i Intent) Intent {
	i.Decision = bounded(i.Decision)
	return i
}

func sameIntent(t *testing.T, what string, want Intent, r Record) {
	t.Helper()
	var got Intent
	if err := r.Decode(&got); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if d := cmp.Diff(stripped(want).Control, got.Control, jsonEqual); d != "" {
		t.Fatalf("%s: control (-want +got):\n%s", what, d)
	}
	got.Control, want.Control = nil, nil
	if d := cmp.Diff(stripped(want), got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

var jsonEqual = cmp.Transformer("json", func(b []byte) any {
	var c margin.Control
	if err := json.Unmarshal(b, &c); err != nil {
		return err.Error()
	}
	return c
})

// Intents are stored as they differ from the one before, and read back whole: forwards,
// backwards, over several segments, two meshes mixed, and after a restart.
func TestIntentsReadBackWhole(t *testing.T) {
	dir := t.TempDir()
	want := map[string][]Intent{}
	meshes := map[string]*cycles{"shop": newCycles(2, .3, 20), "bank": newCycles(1, .3, 0)}
	for run := range 3 {
		j, _, err := open(dir, quick(), 150_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			for _, mesh := range []string{"bank", "shop"} {
				meshes[mesh].held = i%5 == 4
				o, intent := meshes[mesh].next()
				appendCycle(t, j, mesh, o, intent)
				want[mesh] = append(want[mesh], intent)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if run == 1 {
			if j, _, err = open(dir, quick(), 150_000); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Tidy(Retention{}); err != nil {
				t.Fatal(err)
			}
			_ = j.Close()
		}
	}
	if all, err := segments(dir); err != nil || len(all) < 3 {
		t.Fatalf("%d segments, %v: the test shows little", len(all), err)
	}
	if _, err := Verify(dir); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for r, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == KindIntent {
			sameIntent(t, fmt.Sprint("Read ", r.Mesh, seen[r.Mesh]), want[r.Mesh][seen[r.Mesh]], r)
			seen[r.Mesh]++
		}
	}
	for mesh, intents := range want {
		if seen[mesh] != len(intents) {
			t.Errorf("%s: %d intents, want %d", mesh, seen[mesh], len(intents))
		}
		for _, cycle := range []int{90, 61, 60, 31, 1} {
			got, err := Last(dir, 1, func(r Record) bool {
				var i struct {
					Cycle int `json:"cycle"`
				}
				return r.Mesh == mesh && r.Kind == KindIntent && r.Decode(&i) == nil && i.Cycle == cycle
			})
			if err != nil || len(got) != 1 {
				t.Fatalf("%s %d: %d records, %v", mesh, cycle, len(got), err)
			}
			sameIntent(t, fmt.Sprint("Last ", mesh, cycle), intents[cycle-1], got[0])
		}
	}
	last, err := Last(dir, 5, func(r Record) bool { return r.Kind == KindIntent && r.Mesh == "shop" })
	if err != nil || len(last) != 5 {
		t.Fatalf("the last 5: %d, %v", len(last), err)
	}
	for i, r := range last {
		sameIntent(t, fmt.Sprint("of 5, ", i), want["shop"][85+i], r)
	}
}

// What did not change is not written again.
func TestUnchangedControlIsNotRepeated(t *testing.T) {
	for _, c := range []struct {
		name string
		held bool
		most float64 // bytes of an intent over those of a whole one
	}{{"nothing measured", true, .35}, {"every interval measured", false, .7}} {
		dir := t.TempDir()
		j := mustOpen(t, dir)
		m := newCycles(3, 0, 0)
		var sizes []int
		for i := range 80 {
			m.held = c.held && i > 60
			_, intent := m.next()
			if _, err := j.Append(start, "shop", KindIntent, &intent, false); err != nil {
				t.Fatal(err)
			}
		}
		records, err := readAll(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			sizes = append(sizes, len(r.Body))
		}
		if whole := sizes[64]; float64(sizes[64+9]) > c.most*float64(whole) {
			t.Errorf("%s: %d bytes, whole %d, want at most %.0f %%", c.name, sizes[64+9], whole, 100*c.most)
		}
	}
}

// An intent whose base is not the one before is damage, wherever it is read.
func TestAnIntentWithoutItsBaseIsDamage(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	m := newCycles(1, 0, 0)
	for range 3 {
		_, intent := m.next()
		if _, err := j.Append(start, "shop", KindIntent, &intent, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	dir = dirWith(t, []byte(lines[1]+lines[2]))
	for name, call := range map[string]func() error{
		"Verify": func() error { _, err := Verify(dir); return err },
		"Read":   func() error { _, err := readAll(dir); return err },
		"Last":   func() error { _, err := Last(dir, 1, nil); return err },
	} {
		if _, ok := errors.AsType[*DamageError](call()); !ok {
			t.Errorf("%s: %v, want damage", name, call())
		}
	}
}

func TestAlternativesAreCapped(t *testing.T) {
	m := newCycles(100, 1, 0)
	_, intent := m.next()
	for range 20 {
		a := intent.Decision.Action.Clone()
		for k := range a {
			a[k].Value += .001
		}
		intent.Decision.Alternatives = append([]policy.Alternative{{Action: a, Score: 1, Reason: "all differ"}}, intent.Decision.Alternatives...)
	}
	before := len(intent.Decision.Alternatives)
	got := stripped(intent).Decision.Alternatives
	if len(got) != policy.MaxAlternatives || len(got[0].Action) != AlternativeSettings || got[0].Score != 1 {
		t.Errorf("%d alternatives, the first of %d settings", len(got), len(got[0].Action))
	}
	if len(intent.Decision.Alternatives) != before || len(intent.Decision.Alternatives[0].Action) != 300 {
		t.Error("the caller's decision was changed")
	}
}
