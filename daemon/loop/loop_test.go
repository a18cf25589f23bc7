package loop

import (
	"context"
	"errors"
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
	live    policy.Action
	liveErr error

	applyErr  error
	writes    bool // Apply changes live also when it returns an error
	want      policy.Action
	decideErr error
	expected  bool // the active policy predicts

	abstain, infeasible bool

	appendErr error
	events    []string
	intents   []journal.Intent
	outcomes  []journal.Outcome
	durable   []bool // of the intents
}

func (f *fake) Observe(_ context.Context, at time.Time) observe.Observation {
	if f.frozen {
		at = start
	}
	var s policy.State
	for _, x := range []struct {
		name  string
		role  policy.Role
		value float64
	}{{"carried", policy.RoleCarried, 10}, {"latency", policy.RoleLatency, f.latency}, {"offered", policy.RoleOffered, 10}} {
		signal := policy.Signal{Name: x.name, Service: "a", Role: x.role, Status: f.status}
		if f.status == policy.Valid {
			signal.Value, signal.At = x.value, at
		}
		s = append(s, signal)
	}
	return observe.Observation{State: s, At: at}
}

func (f *fake) Live(context.Context) (policy.Action, error) {
	return f.live.Clone(), f.liveErr
}

func (f *fake) Apply(_ context.Context, want policy.Action) error {
	f.events = append(f.events, "apply")
	if f.applyErr == nil || f.writes {
		f.live = want.Clone()
	}
	return f.applyErr
}

func (f *fake) Append(_ time.Time, _, kind string, body any, durable bool) (uint64, error) {
	if f.appendErr != nil {
		return 0, f.appendErr
	}
	f.events = append(f.events, kind)
	switch b := body.(type) {
	case *journal.Intent:
		f.intents = append(f.intents, *b)
		f.durable = append(f.durable, durable)
	case *journal.Outcome:
		f.outcomes = append(f.outcomes, *b)
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
		d.Expected = []policy.Prediction{{Service: "a", Signal: "latency", Value: .09, Supported: true}}
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
	return &fake{latency: .05, status: policy.Valid, live: action(0, .5), expected: true}
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

func TestIntentIsRecordedBeforeItIsApplied(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 2)
	want := "intent apply outcome intent"
	if got := strings.Join(f.events, " "); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	if !f.durable[0] {
		t.Error("the intent that acts was not made durable")
	}
	if o := f.outcomes[0]; o.Result != journal.ResultConverged || o.Cycle != 1 || !o.Errors[0].Known || !o.Errors[0].Counted || o.Errors[0].Expected != .09 {
		t.Errorf("outcome %+v", o)
	}
}

func TestWithoutTheIntentOnDiskNothingIsDone(t *testing.T) {
	f := newFake()
	f.want, f.appendErr = action(.3, .6), errors.New("disk full")
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 1)
	if len(f.events) != 0 || r.Intent.Hold != HoldJournal || r.Intent.Act || !strings.Contains(r.Err.Error(), "disk full") {
		t.Errorf("events %v, hold %q, error %v", f.events, r.Intent.Hold, r.Err)
	}
	f.appendErr = nil
	if r = cycles(l, 2, 1); r.Outcome != nil || !r.Intent.Act {
		t.Errorf("after the disk came back: outcome %v, act %v; want none, true", r.Outcome, r.Intent.Act)
	}
}

func TestObserveAndApproveNeverApply(t *testing.T) {
	for _, authority := range []string{"observe", "approve"} {
		f := newFake()
		f.want = action(.3, .6)
		l := newLoop(t, f, authority, nil)
		r := cycles(l, 1, 20)
		if strings.Contains(strings.Join(f.events, " "), "apply") {
			t.Errorf("%s: it was applied", authority)
		}
		if len(r.Intent.Plan) != 3 || r.Intent.Act || r.Outcome.Result != journal.ResultNotApplied {
			t.Errorf("%s: plan %v, act %v, outcome %s", authority, r.Intent.Plan, r.Intent.Act, r.Outcome.Result)
		}
		if r.Control[0].Counted != 0 || r.Control[0].Intervals != 20 {
			t.Errorf("%s: %d of %d intervals counted, want 0 of 20", authority, r.Control[0].Counted, r.Control[0].Intervals)
		}
	}
}

func TestFallbackDecidesInTheSameCycle(t *testing.T) {
	f := newFake()
	f.decideErr = errors.New("plugin died")
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 1)
	i := r.Intent
	if i.Policy != "rules" || i.PolicyRole != journal.RoleFallback || !strings.Contains(i.FallbackReason, "plugin died") || !i.Act {
		t.Errorf("intent %+v", i)
	}
	if b, _ := f.live.Get(block); b != .5 {
		t.Errorf("blocking %v, want the fallback's 0.5", b)
	}
	r = cycles(l, 2, 1)
	if r.Control[0].Counted != 0 {
		t.Error("the fallback's interval moved the debt")
	}
	f.decideErr = nil
	if r = cycles(l, 3, 1); r.Intent.Policy != "planner" || r.Intent.FallbackReason != "" {
		t.Errorf("the active policy did not come back: %+v", r.Intent)
	}
}

func TestNobodyAnswersIsAHold(t *testing.T) {
	f := newFake()
	f.decideErr = errors.New("plugin died")
	l := newLoop(t, f, "act", func(o *Options) { o.Fallback.Policy = fallback{err: errors.New("broken")} })
	r := cycles(l, 1, 1)
	if r.Intent.Hold != HoldNoDecision || r.Intent.Act || r.Intent.PolicyRole != journal.RoleNone {
		t.Errorf("intent %+v", r.Intent)
	}
	for _, part := range []string{"plugin died", "broken"} {
		if !strings.Contains(r.Err.Error(), part) {
			t.Errorf("error %v does not say %q", r.Err, part)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		name, hold string
		break_     func(*fake)
	}{
		{"no live settings", HoldNoLive, func(f *fake) { f.liveErr = errors.New("API server down") }},
		{"absent signals", "no_data", func(f *fake) { f.status = policy.Absent }},
		{"stale signals", "no_data", func(f *fake) { f.status = policy.Stale }},
		{"invalid signals", "no_data", func(f *fake) { f.status = policy.Invalid }},
		{"no newer samples", "no_data", func(f *fake) { f.frozen = true }},
		{"abstention", HoldAbstained, func(f *fake) { f.abstain = true }},
	} {
		f := newFake()
		f.want = action(.3, .6)
		l := newLoop(t, f, "act", nil)
		cycles(l, 1, 2)
		before := len(f.events)
		c.break_(f)
		f.want = action(.1, .6)
		r := cycles(l, 3, 1)
		r2 := cycles(l, 4, 1)
		if r.Intent.Hold != c.hold || r2.Intent.Hold != c.hold {
			t.Errorf("%s: hold %q, want %q", c.name, r.Intent.Hold, c.hold)
		}
		if strings.Contains(strings.Join(f.events[before:], " "), "apply") {
			t.Errorf("%s: something was applied", c.name)
		}
		if c.name != "abstention" && c.name != "no live settings" && r2.Control[0].Intervals != r.Control[0].Intervals {
			t.Errorf("%s: an interval was counted", c.name)
		}
	}
}

func TestResultsFollowWhatIsInForce(t *testing.T) {
	for _, c := range []struct {
		name, result string
		counted      int
		during       func(*fake) // before the write
		after        func(*fake) // after it
	}{
		{"converged", journal.ResultConverged, 1, nil, nil},
		{"refused", journal.ResultFailed, 0, func(f *fake) { f.applyErr = errors.New("403") }, nil},
		{"answer lost", journal.ResultConverged, 1, func(f *fake) { f.applyErr, f.writes = errors.New("timeout"), true }, nil},
		{"somebody else", journal.ResultDrifted, 0, nil, func(f *fake) { f.live = action(.1, .9) }},
		{"not readable", journal.ResultUnknown, 0, nil, func(f *fake) { f.liveErr = errors.New("down") }},
	} {
		f := newFake()
		f.want = action(.3, .6)
		if c.during != nil {
			c.during(f)
		}
		l := newLoop(t, f, "act", nil)
		cycles(l, 1, 1)
		f.applyErr = nil
		if c.after != nil {
			c.after(f)
		}
		r := cycles(l, 2, 1)
		if r.Outcome == nil || r.Outcome.Result != c.result {
			t.Errorf("%s: outcome %+v, want %s", c.name, r.Outcome, c.result)
		}
		if r.Control[0].Counted != c.counted {
			t.Errorf("%s: %d intervals counted, want %d", c.name, r.Control[0].Counted, c.counted)
		}
	}
}

func TestEditedDecisionsRunUpNoDebt(t *testing.T) {
	f := newFake()
	f.live = action(.7, .5)
	f.want = action(0, .5) // the guard allows one step of 0.2
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 2)
	if len(f.intents[0].Edits) != 1 || r.Control[0].Counted != 0 {
		t.Errorf("edits %v, %d intervals counted; want one edit and none counted", f.intents[0].Edits, r.Control[0].Counted)
	}
	if b, _ := f.intents[0].Guarded.Get(block); b < .5-1e-9 {
		t.Errorf("blocking fell to %v in one cycle", b)
	}
}

func TestOpenIntentOfAnEarlierRun(t *testing.T) {
	before := action(0, .5)
	for _, c := range []struct {
		name, result string
		live         policy.Action
	}{
		{"completed", journal.ResultConverged, action(.3, .6)},
		{"never written", journal.ResultNotApplied, before},
		{"something else", journal.ResultUnknown, action(.1, .9)},
	} {
		f := newFake()
		f.live = c.live
		f.want = c.live
		intent := journal.Intent{
			Cycle: 41, Authority: "act", PolicyRole: journal.RoleActive, Live: before, Guarded: action(.3, .6), Act: true,
			Decision: &policy.Decision{Expected: []policy.Prediction{{Service: "a", Signal: "latency", Value: .1}}},
		}
		resume, err := ResumeFrom(intent, false)
		if err != nil {
			t.Fatal(err)
		}
		r := cycles(newLoop(t, f, "act", func(o *Options) { o.Resume = resume }), 1, 1)
		if r.Intent.Cycle != 42 || r.Outcome == nil || r.Outcome.Cycle != 41 || r.Outcome.Result != c.result {
			t.Errorf("%s: cycle %d, outcome %+v; want %s", c.name, r.Intent.Cycle, r.Outcome, c.result)
		}
		if r.Control[0].Counted != 0 {
			t.Errorf("%s: the interval over a restart moved the debt", c.name)
		}
	}
}

func TestResumeRefusesABrokenControlState(t *testing.T) {
	if _, err := ResumeFrom(journal.Intent{Cycle: 3, Control: []byte("{")}, true); err == nil || !strings.Contains(err.Error(), "cycle 3") {
		t.Errorf("error %v, want one that names cycle 3", err)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("options without anything were taken")
	}
}
