package bounded

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// mesh is so many services, each on the same two nodes as its neighbour, in closed form: a
// node of 40 requests/s is a queue, and a service as slow as the slowest node that it uses.
type mesh struct {
	services []policy.Service
	knobs    []policy.Knob
	rng      *rand.Rand
	capacity float64
}

func newMesh(services int, capacity float64) *mesh {
	m := &mesh{rng: rand.New(rand.NewPCG(1001, 1)), capacity: capacity}
	for i := range services {
		name := fmt.Sprintf("s%02d", i)
		m.services = append(m.services, policy.Service{Name: name, Value: 1, Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}}})
		m.knobs = append(m.knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: .8, Levels: 5})
		for _, part := range []string{"v1", "v2"} {
			m.knobs = append(m.knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: part}, Service: name, Max: 1, Levels: 6})
		}
	}
	policy.SortKnobs(m.knobs)
	return m
}

// begin is nothing blocked, and half of each service over each node.
func (m *mesh) begin() policy.Action {
	var a policy.Action
	for _, k := range m.knobs {
		v := 0.0
		if k.Kind == policy.Weight {
			v = .5
		}
		a = append(a, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	return a
}

// observe is what an interval under an action looks like.
func (m *mesh) observe(n int, live policy.Action, offered float64) policy.Observation {
	o := policy.Observation{
		At: time.Unix(int64(5*n), 0), Live: live.Clone(), Knobs: m.knobs, Services: m.services, Limits: policy.Limits{MaxStep: .2, TotalBlocking: .8},
	}
	share := func(kind policy.KnobKind, target, part string) float64 {
		v, _ := live.Get(policy.KnobID{Kind: kind, Target: target, Part: part})
		return v
	}
	node := map[string]float64{}
	for _, s := range m.services {
		for _, part := range []string{"v1", "v2"} {
			node[part] += offered * (1 - share(policy.Blocking, s.Name, "")) * share(policy.Weight, "ns/vs/"+s.Name, part)
		}
	}
	for _, s := range m.services {
		latency := .01
		for _, part := range []string{"v1", "v2"} {
			if share(policy.Weight, "ns/vs/"+s.Name, part) > 0 {
				latency = math.Max(latency, .02/math.Max(.02, 1-node[part]/m.capacity))
			}
		}
		latency *= math.Exp(.1 * m.rng.NormFloat64())
		o.State = append(o.State,
			policy.Signal{Name: "latency", Service: s.Name, Role: policy.RoleLatency, Value: latency, Status: policy.Valid},
			policy.Signal{Name: "offered", Service: s.Name, Role: policy.RoleOffered, Value: offered, Status: policy.Valid})
	}
	o.State.Sort()
	return o
}

// explore runs a session, and hands each choice to check.
func (m *mesh) explore(t *testing.T, s *Session, live policy.Action, load func(n int) float64, check func(n int, o policy.Observation, c Choice)) {
	t.Helper()
	for n := 0; !s.Done(); n++ {
		o := m.observe(n, live, load(n))
		s.Measure(o, true)
		c, err := s.Next(o, Informed)
		if err != nil {
			t.Fatal(err)
		}
		if check != nil {
			check(n, o, c)
		}
		live = c.Action
	}
}

func swinging(n int) float64 { return 20 + 8*math.Sin(float64(n)/20) }

// Whatever is left of the allowance, a choice is one that the guard lets through, and where
// nothing is left it loads no route more than the baseline, or goes back to that.
func TestChoicesKeepToTheLimits(t *testing.T) {
	for _, allowance := range []float64{0, 3, 100} {
		m := newMesh(2, 45)
		s := &Session{Bounds: Bounds{Intervals: 60, Allowance: allowance, Seed: 1001}, Baseline: m.begin()}
		routes := newFlows(m.knobs, m.services).routes
		excess := func(a policy.Action) (sum float64) {
			for _, r := range routes {
				sum += math.Max(0, r.share(a.Values())-r.share(s.Baseline.Values()))
			}
			return sum
		}
		kinds := map[Kind]int{}
		m.explore(t, s, m.begin(), swinging, func(n int, o policy.Observation, c Choice) {
			kinds[c.Kind]++
			if edits := guard.Limit(o, c.Action).Edits; len(edits) > 0 {
				t.Fatalf("allowance %v, interval %d: the guard edits %+v", allowance, n, edits)
			}
			switch e := excess(c.Action); {
			case c.Kind == Protective && e > tiny:
				t.Fatalf("allowance %v, interval %d: %v is no protection, by %v", allowance, n, c.Action, e)
			case c.Kind == Retreat && e >= excess(o.Live) && e > tiny:
				t.Fatalf("allowance %v, interval %d: from %v to %v is no way back", allowance, n, o.Live, c.Action)
			}
		})
		if allowance == 0 && kinds[Free] > 0 || allowance > 0 && kinds[Free] == 0 || kinds[Reference] < firstIntervals-1 {
			t.Errorf("allowance %v: %v", allowance, kinds)
		}
	}
}

// The allowance is for what exploring adds: on a mesh that is broken anyway, an exploration
// that breaks as much goes on, and on a healthy one it costs no more than was allowed.
func TestTheAllowanceIsForExtraViolations(t *testing.T) {
	for _, c := range []struct {
		name     string
		capacity float64
		broken   bool
	}{{"healthy", 60, false}, {"broken", 24, true}} {
		m := newMesh(2, c.capacity)
		s := &Session{Bounds: Bounds{Intervals: 80, Allowance: 10, Seed: 1001}, Baseline: m.begin()}
		violated := 0
		m.explore(t, s, m.begin(), swinging, nil)
		for _, r := range s.Rows {
			if !r.Baseline && r.Signals[0] > .1 {
				violated++
			}
		}
		spent, err := s.Account(m.observe(0, m.begin(), 20))
		if err != nil {
			t.Fatal(err)
		}
		x := spent[0]
		if x.Violated != float64(violated) || x.Extra() > 10 || x.Unsure < 0 || c.broken != (x.Baseline > 20) {
			t.Errorf("%s: %d violated, account %+v, extra %.1f", c.name, violated, x, x.Extra())
		}
	}
}

// The word of the model counts where nothing was measured at the baseline, and gives way
// where something was.
func TestTheCounterfactualFollowsTheBaseline(t *testing.T) {
	m := newMesh(1, 40)
	s := &Session{Bounds: Bounds{Intervals: 100}, Baseline: m.begin()}
	for n := range 60 {
		o := m.observe(n, m.begin(), 20)
		for i := range o.State {
			if o.State[i].Name == "latency" {
				o.State[i].Value = .05
				if n%4 == 0 { // a quarter is broken
					o.State[i].Value = .15
				}
			}
		}
		s.Measure(o, true)
	}
	c, err := newChooser(s, m.observe(60, m.begin(), 20))
	if err != nil {
		t.Fatal(err)
	}
	p, sd := []float64{0}, []float64{0}
	c.before.at(p, sd, []float64{20})
	if math.Abs(p[0]-.25) > .06 || sd[0] > .1 {
		t.Errorf("at the measured load %v ± %v, want .25", p, sd)
	}
	near := sd[0]
	if c.before.at(p, sd, []float64{60}); sd[0] <= near && p[0] < .9 {
		t.Errorf("far away %v ± %v, which is as sure as ± %v", p, sd, near)
	}
}

// What a model knows least near the optimum is tried: more of what is measured lies about
// the bound than at random, and the best setting becomes known.
func TestInformedExploresAboutTheOptimum(t *testing.T) {
	near := map[Pick]float64{}
	for _, pick := range []Pick{Informed, Random} {
		m := newMesh(2, 45)
		s := &Session{Bounds: Bounds{Intervals: 100, Allowance: 20, Seed: 1001}, Baseline: m.begin()}
		live := m.begin()
		for n := 0; !s.Done(); n++ {
			o := m.observe(n, live, swinging(n))
			s.Measure(o, true)
			c, err := s.Next(o, pick)
			if err != nil {
				t.Fatal(err)
			}
			live = c.Action
		}
		for _, r := range s.Rows {
			if d := math.Abs(math.Log(r.Signals[0] / .1)); d < .5 {
				near[pick]++
			}
		}
	}
	if near[Informed] < 1.2*near[Random] {
		t.Errorf("%v intervals about the bound, %v at random", near[Informed], near[Random])
	}
}

// While a queue of other settings hides what those in force do, the way out is tried and not
// what is least known.
func TestAQueueDrainsFirst(t *testing.T) {
	m := newMesh(2, 24) // broken at the baseline
	s := &Session{Bounds: Bounds{Intervals: 60, Allowance: 60, Seed: 1001}, Baseline: m.begin()}
	clogged := 0
	m.explore(t, s, m.begin(), func(int) float64 { return 28 }, func(_ int, o policy.Observation, c Choice) {
		if !strings.Contains(c.Reason, "drains") {
			return
		}
		clogged++
		if last := s.Rows[len(s.Rows)-1]; !last.Queue {
			t.Error("nothing was hidden")
		}
		blocked := func(a policy.Action) (sum float64) {
			for _, x := range a {
				if x.Kind == policy.Blocking {
					sum += x.Value
				}
			}
			return sum
		}
		if blocked(c.Action) < blocked(o.Live) {
			t.Errorf("blocks less: %v after %v", c.Action, o.Live)
		}
	})
	clean := 0
	for _, r := range s.Rows {
		if !r.Queue {
			clean++
		}
	}
	if clogged == 0 || clean < 30 {
		t.Errorf("%d times a queue was in the way, %d of %d intervals tell something", clogged, clean, len(s.Rows))
	}
}

func TestASessionSurvivesItsFile(t *testing.T) {
	m := newMesh(2, 45)
	s := &Session{Bounds: Bounds{Intervals: 40, Allowance: 5, Seed: 7}, Baseline: m.begin()}
	live := m.begin()
	for n := range 40 {
		o := m.observe(n, live, swinging(n))
		if n%5 == 0 {
			o.State[0].Status = policy.Stale // a latency
		}
		s.Measure(o, n%7 > 0)
		c, err := s.Next(o, Informed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again Session
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, &again, cmpopts.EquateNaNs(), cmpopts.IgnoreUnexported(Session{})); d != "" {
			t.Fatalf("read back (-was +is):\n%s", d)
		}
		other, err := again.Next(o, Informed)
		if err != nil || cmp.Diff(c, other) != "" {
			t.Fatalf("interval %d: read back it chooses otherwise: %v %v", n, err, cmp.Diff(c, other))
		}
		live = c.Action
	}
	if unknown := len(s.Rows); unknown == 40 || unknown < 30 {
		t.Errorf("%d rows of 40 intervals of which 6 were not steady", unknown)
	}
}

// Many services have candidates that are drawn, and regressions of their own routes.
func TestManyServices(t *testing.T) {
	m := newMesh(12, 240)
	s := &Session{Bounds: Bounds{Intervals: 12, Allowance: 5, Seed: 7}, Baseline: m.begin()}
	moved := 0
	m.explore(t, s, m.begin(), swinging, func(_ int, o policy.Observation, c Choice) {
		if err := c.Action.Validate(o.Knobs); err != nil {
			t.Fatal(err)
		}
		moved += len(policy.Diff(o.Live, c.Action, 1e-9))
	})
	if moved == 0 {
		t.Error("nothing was tried")
	}
}

func TestWhatCannotBeExplored(t *testing.T) {
	m := newMesh(2, 45)
	o := m.observe(0, m.begin(), 20)
	for want, s := range map[string]*Session{
		"baseline does not fit": {Bounds: Bounds{Intervals: 10}, Baseline: m.begin()[1:]},
		"other services":        {Bounds: Bounds{Intervals: 10}, Baseline: m.begin(), Rows: []Row{{Settings: []float64{1}}}},
	} {
		if _, err := s.Next(o, Informed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	s := &Session{Bounds: Bounds{Intervals: 10}, Baseline: m.begin()}
	for i := range o.State {
		o.State[i].Status = policy.Absent
	}
	if s.Measure(o, true); len(s.Rows) > 0 {
		t.Error("an interval whose load is not known is a row")
	}
	if _, err := s.Next(o, Informed); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("%v", err)
	}
	for _, b := range []Bounds{{}, {Intervals: MostIntervals + 1}, {Intervals: 10, Allowance: -1}, {Intervals: 10, Allowance: 11}, {Intervals: 10, Allowance: math.NaN()}} {
		if b.Check() == nil {
			t.Errorf("%+v was taken", b)
		}
	}
}
