package train

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

const testRules = `
mesh = "m"
interval = "5s"

[signals]
by = "service"
offered = 'o'
carried = 'c'
latency = 'l'

[[service]]
name = "a"

  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.9

  [[service.route]]
  virtual_service = "d/v"
  http = "a"
  destinations = ["v1", "v2"]
  levels = 3

  [service.blocking]
  maximum = 1.0
  levels = 3
`

const testReward = `
[reward]
name = "mo1"
steepness = 200.0
theta = { a = "110ms" }
`

func mesh(t *testing.T, src string) *rules.Mesh {
	t.Helper()
	m, err := rules.Parse("rules.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trace is a service over two destinations of which v2 is slow: 20 ms + 10 ms for
// each admitted request/s on v1, twice that on v2, with noise of 5 %.
func trace(t *testing.T, m *rules.Mesh) *dataset.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	d := dataset.New("m", 5, nil, []string{"a"})
	for _, k := range m.Knobs() {
		d.Knobs = append(d.Knobs, k.KnobID)
	}
	d = dataset.New("m", 5, d.Knobs, d.Services)
	for i := range 9 * 120 {
		b, w := float64(i/120%3)/2, float64(i/360)/2
		load := float64(4 + 4*(i%3))
		n := load * (1 - b)
		latency := .02 + math.Max(.01*n*w, .02*n*(1-w))
		row := dataset.Row{
			Settings: []float64{b, w, 1 - w}, Offered: []float64{load}, Carried: []float64{n},
			Latency: []float64{latency * (1 + .05*rng.NormFloat64())},
		}
		if err := d.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestEnumerateTabular(t *testing.T) {
	m := mesh(t, testRules+testReward)
	got, err := EnumerateTabular(m, trace(t, m), "abc", 7)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Card
	if c.Policy != "tabular" || c.Seed != 7 || c.Data.SHA256 != "abc" || c.Data.Rows != 1080 || c.Data.Configurations != 9 {
		t.Errorf("card %+v", c)
	}
	if s := c.Services[0]; len(s.Loads) != 3 || s.Spread < .03 || s.Margin <= 0 {
		t.Errorf("service %+v", s)
	}
	if len(c.BestStatic) != 2 || c.BestStatic[0].Objective != ObjectiveReward || c.BestStatic[1].Objective != ObjectiveBudget {
		t.Fatalf("static settings %+v", c.BestStatic)
	}
	// At 12 requests/s only v1 alone with half of the load blocked is within 100 ms.
	budget := c.BestStatic[1]
	if got := []float64{budget.Action[0].Value, budget.Action[1].Value}; got[0] != .5 || !budget.Feasible || math.Abs(budget.Carried-.5) > 1e-9 {
		t.Errorf("best within the budget: %+v", budget)
	}
	reward := c.BestStatic[0]
	if reward.Reward == nil || *reward.Reward > 1+1e-9 || *reward.Reward < .5 {
		t.Errorf("best reward: %+v", reward)
	}
	again, err := EnumerateTabular(m, trace(t, m), "abc", 7)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got.Card, again.Card); d != "" {
		t.Errorf("two trainings differ:\n%s", d)
	}
}

func TestEnumerateTabularWithoutReward(t *testing.T) {
	m := mesh(t, testRules)
	got, err := EnumerateTabular(m, trace(t, m), "", 7)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Card.BestStatic; len(s) != 1 || s[0].Objective != ObjectiveBudget || s[0].Reward != nil {
		t.Errorf("static settings %+v", s)
	}
}

func TestRulesAndDatasetMustFit(t *testing.T) {
	m := mesh(t, testRules)
	d := trace(t, m)
	for name, c := range map[string]struct {
		rules, want string
		data        *dataset.Dataset
	}{
		"other service": {strings.ReplaceAll(testRules, `"a"`, `"b"`), "services [b]", d},
		"other knobs":   {strings.ReplaceAll(testRules, `"d/v"`, `"d/w"`), "weight:d/w/a", d},
		"no rows":       {testRules, "no rows", d.Select(func(int) bool { return false })},
	} {
		if _, err := EnumerateTabular(mesh(t, c.rules), c.data, "", 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
	}
}

func TestRewardIsThePublishedOne(t *testing.T) {
	g, err := NewGoal(mesh(t, testRules+testReward), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ latency, want float64 }{
		{.05, 5}, {.1, 5}, {.11, 2.5}, {.12, 5 / (1 + math.E*math.E)},
	} {
		if got := g.Reward([]float64{tt.latency}, []float64{10}, []float64{.5}, 3); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("reward at %v s = %v, want %v", tt.latency, got, tt.want)
		}
	}
}

// Two services that are alike but for their value and bound; the other rewards from
// their definitions by hand.
func TestOtherRewards(t *testing.T) {
	_, service, _ := strings.Cut(testRules, "[[service]]")
	service = strings.ReplaceAll(service, `"a"`, `"b"`)
	two := testRules + "\n[[service]]\nvalue = 3.0" + service
	const logistic = "steepness = 200.0\ntheta = { a = \"110ms\", b = \"110ms\" }\n"
	offered, admitted := []float64{10, 20}, []float64{.5, .8}
	fast, slow := []float64{.05, .1}, []float64{.11, .05} // a is slow: half of its share
	for _, tt := range []struct {
		name, reward string
		latency      []float64
		cost, want   float64
	}{
		{"mo1", "name = \"mo1\"\n" + logistic, fast, 2, 5 + 16},
		{"mo2, bounds kept", "name = \"mo2\"\n" + logistic, fast, 2, 5 + 3*16},
		{"mo2, a slow", "name = \"mo2\"\n" + logistic, slow, 2, 2.5 + 3*16},
		{"mo3", "name = \"mo3\"\nblocking_cost = 0.5\n" + logistic, slow, 2, 2.5 + 3*16 - .5*5 - .5*4},
		{"scaling", "name = \"scaling\"\nmet = 6.0\n", fast, 2, 4},
		{"scaling, a slow", "name = \"scaling\"\nmet = 6.0\n", slow, 2, -.01},
		{"scaling, both slow", "name = \"scaling\"\nmet = 6.0\n", []float64{.3, .2}, 2, -.2 - .1},
		{"none", "", fast, 2, 5 + 16},
	} {
		src := two
		if tt.reward != "" {
			src += "\n[reward]\n" + tt.reward
		}
		g, err := NewGoal(mesh(t, src), []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Reward(tt.latency, offered, admitted, tt.cost); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if g.HasReward() != (tt.reward != "") {
			t.Errorf("%s: HasReward is %v", tt.name, g.HasReward())
		}
	}
}

func TestTailCountsWhatIsAboveTheBound(t *testing.T) {
	tail := NewTail([]float64{.2, -.1, 0, .1})
	for _, tt := range []struct{ latency, bound, want float64 }{
		{1, 1, .5}, {1, 1.1, .25}, {1, 1.15, .25}, {1, 2, 0}, {1, .5, 1}, {0, 1, 0}, {1, math.Inf(1), 0},
	} {
		if got := tail.Above(tt.latency, tt.bound); got != tt.want {
			t.Errorf("above(%v, %v) = %v, want %v", tt.latency, tt.bound, got, tt.want)
		}
	}
	if got := Tail(nil).Above(2, 1); got != 1 {
		t.Errorf("without residuals: %v", got)
	}
}

// No static setting is within a budget that nothing can keep: the least bad is named, and said to be that.
func TestStaticsWithoutAFeasibleOne(t *testing.T) {
	m := mesh(t, strings.ReplaceAll(testRules, `"100ms"`, `"1ms"`))
	g, err := NewGoal(m, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	table := &model.Table{Knobs: m.Knobs(), Services: []string{"a"}, Signals: []string{"latency"}, Loads: [][]float64{{1, 2}}}
	for point := range 2 {
		for i := range 9 {
			table.Values = append(table.Values, float32(i+1)+float32(point))
		}
	}
	tails := []Tail{NewTail([]float64{-.9995, 0})} // one interval in two is fast enough, where the mean is at most 2 s
	got, err := Statics(g, table, tails)
	if err != nil {
		t.Fatal(err)
	}
	s := got[0]
	if s.Feasible || s.Violated["a"] != .5 || s.Action[0].Value != 0 {
		t.Errorf("static %+v", s)
	}
}
