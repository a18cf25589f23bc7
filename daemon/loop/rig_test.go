package loop

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const meshText = `
mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"
[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.95
  [[service.route]]
  virtual_service = "ns/vs"
  http = "a"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.8
[guard]
authority = "AUTHORITY"
max_step = 0.2
total_blocking = 0.8
`

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	v1    = policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}
	v2    = policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"}
	block = policy.KnobID{Kind: policy.Blocking, Target: "a"}
)

func action(blocking, weight1 float64) policy.Action {
	a := policy.Action{{KnobID: v1, Value: weight1}, {KnobID: v2, Value: 1 - weight1}, {KnobID: block, Value: blocking}}
	a.Sort()
	return a
}

// fake is everything around a loop. It remembers the order of what happened.
type fake struct {
	latency float64
	status  policy.Status // of every signal
	frozen  bool          // samples get no newer
	scrape  time.Duration // after each multiple of 5 s, samples are taken; 0: at any time
	live    policy.Action
	follows policy.Action // what requests do; nil: live
	offered float64       // requests/s
	split   bool          // there is the signal
	liveErr error
	said    map[string]string // of the authority, by object

	applyErr   error
	prepareErr error
	during     func(event string)           // called when prepare, a record or apply begins
	known      []map[string]json.RawMessage // given to Prepare
	baseline   map[string]json.RawMessage   // given to Apply
	writes     bool                         // Apply changes live also when it returns an error
	want       policy.Action
	decideErr  error
	expected   bool // the active policy predicts

	abstain, infeasible bool

	appendErr  error
	outcomeErr error // of outcomes only
	events     []string
	intents    []journal.Intent
	outcomes   []journal.Outcome
	shadows    []journal.Shadow
	durable    []bool // of the intents
}

func (f *fake) Observe(_ context.Context, at time.Time) observe.Observation {
	if f.frozen {
		at = start
	}
	if f.scrape > 0 {
		at = at.Add(-f.scrape).Truncate(5 * time.Second).Add(f.scrape)
	}
	type measured struct {
		name  string
		role  policy.Role
		value float64
	}
	follows := f.follows
	if follows == nil {
		follows = f.live
	}
	blocking, _ := follows.Get(block)
	all := []measured{{"carried", policy.RoleCarried, f.offered * (1 - blocking)}, {"latency", policy.RoleLatency, f.latency}, {"offered", policy.RoleOffered, f.offered}}
	if weight, _ := follows.Get(v1); f.split {
		all = append(all, measured{"split/v1", policy.RoleContext, weight}, measured{"split/v2", policy.RoleContext, 1 - weight})
	}
	var s policy.State
	for _, x := range all {
		signal := policy.Signal{Name: x.name, Service: "a", Role: x.role, Status: f.status}
		if f.status == policy.Valid {
			signal.Value, signal.At = x.value, at
		}
		s = append(s, signal)
	}
	return observe.Observation{State: s, At: at}
}

func (f *fake) Live(context.Context) (policy.Action, map[string]string, error) {
	return f.live.Clone(), f.said, f.liveErr
}

func (f *fake) Prepare(_ context.Context, _, _ policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	f.begin("prepare")
	f.known = append(f.known, known)
	return map[string]json.RawMessage{"VirtualService ns/vs": json.RawMessage(`"as it was"`)}, f.prepareErr
}

func (f *fake) Apply(_ context.Context, _, want policy.Action, baseline map[string]json.RawMessage) error {
	f.begin("apply")
	f.baseline = baseline
	f.events = append(f.events, "apply")
	if f.applyErr == nil || f.writes {
		f.live = want.Clone()
	}
	return f.applyErr
}

func (f *fake) begin(event string) {
	if f.during != nil {
		f.during(event)
	}
}

func (f *fake) Append(_ time.Time, _, kind string, body any, durable bool) (uint64, error) {
	f.begin(kind)
	if f.appendErr != nil {
		return 0, f.appendErr
	}
	if kind == journal.KindOutcome && f.outcomeErr != nil {
		return 0, f.outcomeErr
	}
	f.events = append(f.events, kind)
	switch b := body.(type) {
	case *journal.Intent:
		f.intents = append(f.intents, *b)
		f.durable = append(f.durable, durable)
	case *journal.Outcome:
		f.outcomes = append(f.outcomes, *b)
	case *journal.Shadow:
		f.shadows = append(f.shadows, *b)
	}
	return 1, nil
}

func (f *fake) Describe(context.Context) (policy.Description, error) {
	return policy.Description{}, nil
}
func (f *fake) Configure(context.Context, policy.Config) error { return nil }
func (f *fake) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if f.decideErr != nil {
		return policy.Decision{}, f.decideErr
	}
	d := policy.Decision{Action: o.Live.Clone(), Abstain: f.abstain, Infeasible: f.infeasible, Reason: "because"}
	if f.want != nil {
		d.Action = f.want.Clone()
	}
	if f.expected {
		d.Expected = []policy.Prediction{{Service: "a", Signal: "latency", Value: .09, Supported: true, Risk: .25}}
		d.ExpectedLive = d.Expected
	}
	return d, nil
}

// fallback blocks half.
type fallback struct{ err error }

func (fallback) Describe(context.Context) (policy.Description, error) {
	return policy.Description{}, nil
}
func (fallback) Configure(context.Context, policy.Config) error { return nil }
func (f fallback) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	a := o.Live.Clone()
	a.Set(block, .5)
	return policy.Decision{Action: a, Reason: "fallback"}, f.err
}

func newFake() *fake {
	return &fake{offered: 10, latency: .05, status: policy.Valid, live: action(0, .5), expected: true}
}

func newLoop(t *testing.T, f *fake, authority string, change func(*Options)) *Loop {
	t.Helper()
	m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, "AUTHORITY", authority, 1)))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Mesh: m, Observer: f, Actuator: f, Journal: f, Active: &Decider{Name: "planner", Policy: f},
		Fallback: Decider{Name: "rules", Policy: fallback{}}, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
		Initial: func(string, string) margin.Calibration { return margin.Calibration{Margin: .1, Spread: .1} },
	}
	if change != nil {
		change(&o)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func cycles(l *Loop, from, n int) (last Report) {
	for i := range n {
		last = l.Cycle(context.Background(), start.Add(time.Duration(from+i)*5*time.Second))
	}
	return last
}
