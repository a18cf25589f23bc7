package verify

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

const meshText = `
mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"
[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
split = 'windvane:split:ratio'
[[service]]
name = "a"
  [[service.route]]
  virtual_service = "ns/vs"
  http = "a"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.8
`

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

// seen is a state; a NaN is absent.
func seen(offered, carried, split1 float64) policy.State {
	var s policy.State
	for name, v := range map[string]float64{"offered": offered, "carried": carried, "split/v1": split1, "split/v2": 1 - split1} {
		x := policy.Signal{Name: name, Service: "a", Role: policy.RoleContext, Value: v, Status: policy.Valid, At: time.Unix(1, 0)}
		if name == "offered" || name == "carried" {
			x.Role = policy.Role(name)
		}
		if math.IsNaN(v) {
			x.Status, x.Value = policy.Absent, 0
		}
		s = append(s, x)
	}
	s.Sort()
	return s
}

func watch(t *testing.T) *Watch {
	t.Helper()
	m, err := rules.Parse("shop.toml", []byte(meshText))
	if err != nil {
		t.Fatal(err)
	}
	return New(m)
}

// step is a cycle: what is in force, and what was observed.
type step struct {
	live                     policy.Action
	offered, carried, split1 float64
}

func run(w *Watch, s State, steps ...step) (State, []string) {
	var out []string
	for _, x := range steps {
		var f []Finding
		s, f = w.Judge(s, seen(x.offered, x.carried, x.split1), x.live)
		if len(f) == 0 {
			out = append(out, "none")
			continue
		}
		out = append(out, string(f[0].Verdict))
	}
	return s, out
}

func TestVerdicts(t *testing.T) {
	nan := math.NaN()
	half, most := action(0, .5), action(0, .9)
	shed := action(.4, .5)
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"as commanded", []step{{half, 50, 50, .5}, {half, 50, 50, .52}, {half, 50, 50, .45}}, "none converged converged"},
		{"it takes a cycle", []step{{half, 50, 50, .5}, {half, 50, 50, .5}, {most, 50, 50, .6}, {most, 50, 50, .9}}, "none converged not_yet converged"},
		{"it never follows", []step{{half, 50, 50, .5}, {half, 50, 50, .5}, {most, 50, 50, .5}, {most, 50, 50, .5}, {most, 50, 50, .5}, {most, 50, 50, .5}}, "none converged not_yet not_yet not_yet failed"},
		{"few requests show what is far off", []step{{half, 50, 50, .5}, {half, 50, 50, .5}, {most, 5, 5, .0}, {most, 5, 5, 0}}, "none converged not_yet not_yet"},
		{"few requests show nothing else", []step{{most, 3, 3, .6}, {most, 3, 3, .8}, {most, 3, 3, .7}}, "none undecided undecided"},
		{"no split", []step{{half, 50, 50, nan}, {half, 50, 50, nan}, {most, 50, 50, nan}}, "none converged converged"},
		{"nothing is carried", []step{{half, 50, nan, .5}, {most, 50, nan, .5}, {most, 50, nan, .5}}, "none undecided undecided"},
		{"missing data is no failure", []step{
			{most, 50, 50, .5}, {most, 50, 50, .5}, {most, nan, nan, nan}, {most, nan, nan, nan}, {most, nan, nan, nan}, {most, 50, 50, .5}, {most, 50, 50, .5},
		}, "none not_yet undecided undecided undecided not_yet failed"},
		{"a gap in what is in force", []step{{half, 50, 50, .5}, {most, 50, 50, .5}, {nil, 50, 50, .5}, {most, 50, 50, .5}, {most, 50, 50, .5}}, "none not_yet none none not_yet"},
		{"nothing is shed", []step{{shed, 50, 50, .5}, {shed, 50, 50, .5}, {shed, 50, 49, .5}, {shed, 50, 50, .5}}, "none not_yet not_yet failed"},
		{"what is shed and what fails are not told apart", []step{{shed, 100, 30, .5}, {shed, 100, 30, .5}}, "none converged"},
		{"as much is shed", []step{{shed, 80, 48, .5}, {shed, 80, 46, .5}}, "none converged"},
	} {
		if _, got := run(watch(t), State{}, c.steps...); strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// A mesh that follows at random, by independent draws, is hardly ever away, whatever its
// traffic and however it is split.
func TestChanceIsNoFailure(t *testing.T) {
	r := rand.New(rand.NewPCG(1000, 1))
	away, judged := 0, 0
	for range 30_000 {
		p, n := r.Float64(), 1+r.IntN(400)
		x := Share{Low: p, High: p, Requests: float64(n), Known: true}
		hits := 0
		for range n {
			if r.Float64() < p {
				hits++
			}
		}
		x.Observed = float64(hits) / float64(n)
		x.weigh(1)
		if judged++; x.Away {
			away++
		}
	}
	if share := float64(away) / float64(judged); share > errorRate {
		t.Errorf("away in %v of the draws, want at most %v", share, errorRate)
	}
}

// Missing data never moves a service towards a failure.
func TestMissingDataMovesNothing(t *testing.T) {
	w, nan := watch(t), math.NaN()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(1000+seed, 2))
		s := State{}
		for range 20 {
			live := action(float64(r.IntN(3))/4, float64(r.IntN(5))/4)
			if r.IntN(2) == 0 {
				s, _ = run(w, s, step{live, 50, 50, r.Float64()})
				continue
			}
			before := fmt.Sprint(s.Services)
			s, _ = run(w, s, step{live, nan, nan, nan})
			if after := fmt.Sprint(s.Services); after != before {
				t.Fatalf("seed %d: %s became %s without a measurement", seed, before, after)
			}
		}
	}
}

func TestBackOffDoublesAndEndsWithAChangeThatIsFollowed(t *testing.T) {
	w := watch(t)
	s := State{}
	shift := []policy.Change{{KnobID: v1, From: .5, To: .9}}
	var waits []uint64
	for cycle := uint64(10); len(waits) < 9; cycle += 100 {
		if s.Retry() > cycle {
			t.Fatalf("still waiting in cycle %d: %+v", cycle, s)
		}
		s = w.Changed(s, shift)
		s = s.Fail("a", cycle)
		waits = append(waits, s.Retry()-cycle-1)
	}
	if fmt.Sprint(waits) != "[1 2 4 8 16 32 64 64 64]" {
		t.Errorf("waits of %v cycles", waits)
	}
	still := step{action(0, .5), 50, 50, .5}
	if s, _ = run(w, s, still, still, still); s.Services["a"].Failures != 9 {
		t.Errorf("what was not tried again is forgotten: %+v", s)
	}
	s = w.Changed(s, shift)
	if s, _ = run(w, s, still); len(s.Services) != 0 {
		t.Errorf("a change that is followed leaves %+v", s)
	}
}

// Under overload a request ends long after it began, and is counted then.
func TestLatencyAddsToTheTimeOut(t *testing.T) {
	w, s := watch(t), State{}
	var got []string
	for cycle := range 12 {
		live := action(0, .5)
		if cycle > 5 {
			live = action(0, .9)
		}
		state := append(seen(50, 50, .5), policy.Signal{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: 9, Status: policy.Valid})
		state.Sort()
		var f []Finding
		if s, f = w.Judge(s, state, live); len(f) > 0 {
			got = append(got, string(f[0].Verdict))
		}
	}
	want := "converged converged converged converged converged not_yet not_yet not_yet not_yet not_yet not_yet"
	if strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A change has its own time, however long the service was away before; changes that follow
// each other share it.
func TestTheTimeOutBeginsWithTheChange(t *testing.T) {
	w := watch(t)
	away := step{action(0, .9), 50, 50, .5}
	s, got := run(w, State{}, away, away, away, away, away)
	shift := []policy.Change{{KnobID: v1, From: .9, To: .8}}
	s = w.Changed(s, shift)
	away.live = action(0, .8)
	s, more := run(w, s, away)
	s = w.Changed(s, shift)
	_, last := run(w, s, away, away)
	if all := strings.Join(append(append(got, more...), last...), " "); all != "none not_yet not_yet failed failed not_yet not_yet failed" {
		t.Error(all)
	}
}

// What was in force before a service was away is kept, as it was.
func TestBeforeIsWhatWasFollowed(t *testing.T) {
	half, most := step{action(.2, .5), 50, 40, .5}, step{action(0, .9), 50, 40, .5}
	s, _ := run(watch(t), State{}, half, half, most, most, most, most)
	x := s.Services["a"]
	if got, _ := x.Before.Get(v1); x.Away != 3 || got != .5 {
		t.Errorf("before %v, away for %d cycles", x.Before, x.Away)
	}
	s, _ = run(watch(t), State{}, most, most)
	if x = s.Services["a"]; x.Before != nil {
		t.Errorf("before a start: %v, want nothing known", x.Before)
	}
}
