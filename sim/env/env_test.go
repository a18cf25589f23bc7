package env_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/env/envtest"
	"github.com/windvane/windvane/sim/load"
)

func TestConformance(t *testing.T) {
	grid := must(env.NewGrid(testTable(), testGoal{}))
	system := must(env.NewSystem(testSystem(), testGoal{}))
	uniform := must(env.Uniform(env.Cross(testLoads), 1))
	for name, c := range map[string]env.Config{
		"table, every load for itself": {Backend: grid, Loads: uniform, Lanes: 7, Horizon: 50},
		"table, one lane":              {Backend: grid, Loads: uniform, Lanes: 1},
		"table, between its loads":     {Backend: grid, Loads: testSine(), Lanes: 4, Horizon: 30},
		"step limit":                   {Backend: grid, Loads: must(env.Uniform(env.Cross(testLoads), 10)), Lanes: 5, Horizon: 16, StepLimit: 1},
		"delay":                        {Backend: grid, Loads: must(env.Cycle(env.Cross(testLoads))), Lanes: 3, Horizon: 20, Delay: 3},
		"both":                         {Backend: grid, Loads: testSine(), Lanes: 6, Horizon: 1, StepLimit: 2, Delay: 2, FreeRaise: true},
		"model":                        {Backend: system, Loads: uniform, Lanes: 4, Horizon: 25},
		"model, sequential":            {Backend: system, Loads: testSine(), Lanes: 4, Horizon: 25, StepLimit: 1, Delay: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bounds := envtest.Bounds{MinReward: minReward, MaxReward: maxReward, Horizon: c.Horizon}
			envtest.Check(t, bounds, func() (envtest.Env, error) { return env.New(c) })
		})
	}
}

// Each reward is that of the load that was observed and the action that was taken.
func TestRewardIsOfTheObservedLoad(t *testing.T) {
	points := env.Cross(testLoads)
	for name, loads := range map[string]env.Loads{"points": must(env.Uniform(points, 1)), "continuum": testSine()} {
		s := start(t, env.Config{Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: loads, Lanes: 2}, 3)
		axes, rng := s.Axes(), rand.New(rand.NewPCG(1, 1))
		for range 100 {
			actions := make([]int32, 2*len(axes))
			for i := range actions {
				actions[i] = int32(rng.IntN(axes[i%len(axes)]))
			}
			seen := slices.Clone(s.obs)
			s.step(actions...)
			for lane := range 2 {
				offered := []float64{2 + 8*float64(seen[2*lane]), 1 + 4*float64(seen[2*lane+1])}
				want := worth(s.Space(), actions[lane*len(axes):][:len(axes)], offered)
				if got := float64(s.rewards[lane]); !near(got, want) {
					t.Fatalf("%s: reward at %v is %v, want %v", name, offered, got, want)
				}
			}
		}
	}
}

// still is a load that never changes.
func still() *env.Chain { return must(env.Cycle([][]float64{{6, 5}})) }

func TestDelayTakesThatManyIntervals(t *testing.T) {
	for delay := range 4 {
		s := start(t, env.Config{
			Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: still(), Lanes: 1, Delay: delay, Initial: []int32{0, 0, 0, 0, 0},
		}, 1)
		before, after := []int32{0, 0, 0, 0, 0}, []int32{2, 1, 2, 3, 7}
		for step := range 6 {
			s.step(after...)
			want := worth(s.Space(), before, []float64{6, 5})
			if step >= delay {
				want = worth(s.Space(), after, []float64{6, 5})
			}
			if got := float64(s.rewards[0]); !near(got, want) {
				t.Errorf("delay %d, step %d: reward %v, want %v", delay, step, got, want)
			}
		}
	}
}

// With a delay and a limit, the limit is on what is commanded, and the observation
// shows all of the pipeline, oldest first.
func TestPipelineIsObserved(t *testing.T) {
	s := start(t, env.Config{
		Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: still(), Lanes: 1, Delay: 2, StepLimit: 1, Initial: []int32{0, 0, 0, 0, 0},
	}, 1)
	// Per stage: blocking a and b, replicas, one weight of a, two of b.
	if got, want := s.ObservationSize(), 2+2*6; got != want {
		t.Fatalf("observations of %d, want %d", got, want)
	}
	check := func(when string, want ...float32) {
		t.Helper()
		for i, v := range want {
			if d := s.obs[2+i] - v; d > 1e-6 || d < -1e-6 {
				t.Errorf("%s: pipeline %v, want %v", when, s.obs[2:], want)
				return
			}
		}
	}
	check("at the start", 0, 0, 0, 0, 0, 0 /**/, 0, 0, 0, 0, 0, 0)
	s.step(2, 1, 2, 3, 9) // the last category of b's weights is all on v1
	check("after one step", 0, 0, 0, 0, 0, 0 /**/, .5, 1, .5, 1./3, 1./3, 0)
	s.step(2, 1, 2, 3, 9)
	check("after two steps", .5, 1, .5, 1./3, 1./3, 0 /**/, 1, 1, 1, 2./3, 2./3, 0)
	s.step(0, 0, 0, 0, 0)
	check("on the way back", 1, 1, 1, 2./3, 2./3, 0 /**/, .5, 0, .5, 1./3, 1./3, 0)
}

func TestFreeRaiseIsForBlockingUpwardsOnly(t *testing.T) {
	s := start(t, env.Config{
		Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: still(), Lanes: 1, StepLimit: 1, FreeRaise: true, Initial: []int32{0, 0, 0, 0, 0},
	}, 1)
	s.step(2, 1, 2, 3, 0)
	if got, want := s.obs[2:6], []float32{1, 1, .5, 1. / 3}; !slices.Equal(got, want) {
		t.Errorf("after a raise %v, want %v", got, want)
	}
	s.step(0, 0, 0, 0, 0)
	if got, want := s.obs[2:6], []float32{.5, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("on the way down %v, want %v", got, want)
	}
}

// The episode that ends and the one that begins are told apart.
func TestFinalIsTheLastObservation(t *testing.T) {
	points := env.Cross(testLoads)
	c := env.Config{
		Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: must(env.Cycle(points)), Lanes: 2, Horizon: 4, StepLimit: 1, Initial: []int32{1, 0, 1, 2, 3},
	}
	s := start(t, c, 5)
	c.Horizon = 0
	endless := start(t, c, 5)
	final := make([]float32, s.ObservationSize())
	first := slices.Clone(s.obs[2:s.ObservationSize()])
	for range 4 {
		s.step(2, 1, 2, 3, 9, 0, 0, 0, 0, 0)
		endless.step(2, 1, 2, 3, 9, 0, 0, 0, 0, 0)
	}
	if !s.truncated[0] || !s.truncated[1] {
		t.Fatal("not truncated")
	}
	for lane := range 2 {
		s.Final(lane, final)
		if want := endless.obs[lane*len(final):][:len(final)]; !slices.Equal(final, want) {
			t.Errorf("lane %d: the last observation is %v, want %v", lane, final, want)
		}
	}
	if got := s.obs[2:s.ObservationSize()]; !slices.Equal(got, first) {
		t.Errorf("the next episode starts at %v, want %v", got, first)
	}
}

// Without Initial, episodes start anywhere.
func TestInitialSettingsAreDrawn(t *testing.T) {
	s := start(t, env.Config{Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: still(), Lanes: 300, StepLimit: 1}, 1)
	seen := map[float32]int{}
	for lane := range 300 {
		seen[s.obs[lane*s.ObservationSize()+2]]++
	}
	for _, v := range []float32{0, .5, 1} {
		if seen[v] < 60 {
			t.Errorf("%d of 300 episodes start with a blocking of %v", seen[v], v)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := env.Config{Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: still(), Lanes: 1}
	for name, c := range map[string]struct {
		change func(c *env.Config)
		want   string
	}{
		"no back end":    {func(c *env.Config) { c.Backend = nil }, "no back end"},
		"no loads":       {func(c *env.Config) { c.Loads = nil }, "no loads"},
		"no lanes":       {func(c *env.Config) { c.Lanes = 0 }, "0 lanes"},
		"horizon":        {func(c *env.Config) { c.Horizon = -1 }, "horizon -1"},
		"initial":        {func(c *env.Config) { c.Initial = []int32{0, 0, 0, 0, 10} }, "category 10 of axis 4"},
		"short initial":  {func(c *env.Config) { c.Initial = []int32{0} }, "1 categories"},
		"empty chain":    {func(c *env.Config) { c.Loads = &env.Chain{} }, "no points"},
		"other services": {func(c *env.Config) { c.Loads = must(env.Cycle([][]float64{{1}})) }, "1 services, want 2"},
		"processes":      {func(c *env.Config) { c.Loads = env.Timed{Processes: []load.Process{load.Constant(1)}} }, "1 services, want 2"},
		"no process":     {func(c *env.Config) { c.Loads = env.Timed{Processes: make([]load.Process, 2), IntervalSeconds: 5} }, "missing"},
		"no interval":    {func(c *env.Config) { l := testSine(); l.IntervalSeconds = 0; c.Loads = l }, "intervals of 0"},
	} {
		bad := good
		c.change(&bad)
		if _, err := env.New(bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
	}
}

// Lanes can be shared among environments: what each sees depends on its number alone.
func TestLanesKeepTheirNumbers(t *testing.T) {
	c := env.Config{
		Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: must(env.Uniform(env.Cross(testLoads), 3)),
		Lanes: 5, Horizon: 4, StepLimit: 1,
	}
	whole := start(t, c, 9)
	c.Lanes, c.FirstLane = 2, 3
	part := start(t, c, 9)
	for range 10 {
		if n := 3 * whole.ObservationSize(); !slices.Equal(whole.obs[n:], part.obs) {
			t.Fatalf("lanes 3 and 4 see %v of five, %v alone", whole.obs[n:], part.obs)
		}
		whole.step(make([]int32, 5*len(whole.Axes()))...)
		part.step(make([]int32, 2*len(part.Axes()))...)
	}
}

func TestEveryFeatureHasAName(t *testing.T) {
	e := must(env.New(env.Config{
		Backend: must(env.NewGrid(testTable(), testGoal{})), Loads: must(env.Uniform(env.Cross(testLoads), 1)), Lanes: 1, Delay: 2,
	}))
	names := e.FeatureNames([]string{"a", "b"})
	if len(names) != e.ObservationSize() {
		t.Fatalf("%d names of %d features", len(names), e.ObservationSize())
	}
	for i, want := range map[int]string{
		0: "offered load of a", 1: "offered load of b", 2: "blocking of a, commanded 2 intervals ago",
		5: "weight of d/v/a, v1, commanded 2 intervals ago", len(names) - 1: "weight of d/v/b, v2, commanded in the last interval",
	} {
		if names[i] != want {
			t.Errorf("feature %d is %q, want %q", i, names[i], want)
		}
	}
}
