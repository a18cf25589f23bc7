package emulator_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// values returns the counters that exist, by version and code, of one metric.
func values(e *emulator.Emulator, name string) map[string]float64 {
	out := map[string]float64{}
	series := e.Series()
	e.Collect(func(i int, v float64) {
		if series[i].Name != name {
			return
		}
		key := ""
		for _, l := range series[i].Labels {
			switch l.Name {
			case "destination_service_name", "destination_version", "response_code", "response_flags", "le":
				key += l.Value + " "
			}
		}
		out[strings.TrimSpace(key)] = v
	})
	return out
}

func TestSplitAndBlockingShares(t *testing.T) {
	g := single(50, 200, exponential(.01))
	g.Services[0].Destinations = append(g.Services[0].Destinations, emulator.Destination{Name: "v2", Path: []emulator.Visit{{Node: "n", Work: 1}}})
	for _, c := range []struct{ v1, blocking float64 }{{.2, .4}, {1, 0}, {0, .9}} {
		e := start(t, emulator.Options{Graph: g, Seed: 6, Initial: emulator.Settings{
			Weights: [][]float64{{c.v1 * 50, 50 - c.v1*50}}, Blocking: []float64{c.blocking},
		}})
		e.Advance(500)
		total, counts := e.Take()[0], values(e, emulator.RequestsTotal)
		share := func(what string, n, of, p float64) {
			if se := math.Sqrt(p * (1 - p) / of); math.Abs(n/of-p) > 4*se {
				t.Errorf("%s: %v of %v, want %v within 4 x %.2g", what, n, of, p, se)
			}
		}
		share("blocked", float64(total.Blocked), float64(total.Offered), c.blocking)
		share("v1", counts["s v1 200 -"], float64(total.Carried), c.v1)
		if counts["s unknown 429 FI"] != float64(total.Blocked) || counts["s v1 200 -"]+counts["s v2 200 -"] != float64(total.Carried) {
			t.Errorf("counters %v differ from totals %+v", counts, total)
		}
		want := emulator.Settings{Weights: [][]float64{{c.v1, 1 - c.v1}}, Blocking: []float64{c.blocking}, Replicas: []int{1}}
		if d := cmp.Diff(want, e.Settings()); d != "" {
			t.Errorf("settings in force (-want +got):\n%s", d)
		}
	}
}

func TestSettingsSettle(t *testing.T) {
	e := start(t, emulator.Options{Graph: single(4, 1000, exponential(.001)), Seed: 7, SettleSeconds: 2})
	e.Advance(10)
	apply(t, e, emulator.Settings{Blocking: []float64{1}})
	if err := e.Apply(11, emulator.Settings{Blocking: []float64{.5}, Weights: [][]float64{nil}}); err != nil {
		t.Fatal(err)
	}
	e.Advance(11.999)
	if got := e.Take()[0]; got.Blocked != 0 {
		t.Errorf("%d requests blocked before the settings settled", got.Blocked)
	}
	e.Advance(12.999)
	if got := e.Take()[0]; got.Blocked != got.Offered || got.Offered < 800 {
		t.Errorf("%d of %d requests blocked by the first settings, want all", got.Blocked, got.Offered)
	}
	e.Advance(20)
	if got := e.Take()[0]; got.Blocked == 0 || got.Carried == 0 {
		t.Errorf("the second settings are not in force: %+v", got)
	}
	if err := e.Apply(19, emulator.Settings{}); err == nil || !strings.Contains(err.Error(), "it is 20 already") {
		t.Errorf("settings in the past: %v", err)
	}
}

func TestReplicasAddServers(t *testing.T) {
	// 60/s at .1 s each is 6 busy servers: 1 replica of 4 drowns, 2 do not. First
	// come, first served under overload serves those whose time is nearly up, so
	// most of what is served is too late as well.
	g := single(4, 60, exponential(.1))
	g.Services[0].TimeoutSeconds = .5
	e := start(t, emulator.Options{Graph: g, Seed: 8})
	e.Advance(100)
	if got := e.Take()[0]; got.TimedOut < got.Answered/2 {
		t.Errorf("4 servers time out %d of %d, want most", got.TimedOut, got.Answered)
	}
	apply(t, e, emulator.Settings{Replicas: []int{2}})
	e.Advance(105)
	e.Take()
	e.Advance(205)
	if got := e.Take()[0]; float64(got.TimedOut) > .05*float64(got.Answered) {
		t.Errorf("8 servers still time out %d of %d", got.TimedOut, got.Answered)
	}
	apply(t, e, emulator.Settings{Replicas: []int{0}})
	e.Advance(210)
	e.Take()
	e.Advance(220)
	if got := e.Take()[0]; got.Carried != 0 || got.TimedOut == 0 {
		t.Errorf("no replicas: %+v, want nothing but timeouts", got)
	}
}

func TestFaultTakesServers(t *testing.T) {
	g := single(8, 60, emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: .1})
	g.Faults = []emulator.Fault{{Node: "n", From: 100, To: 200, Factor: .5}, {Node: "n", From: 200, To: math.Inf(1), Factor: 0}}
	e := start(t, emulator.Options{Graph: g, Seed: 9})
	for i, want := range []struct{ min, max float64 }{{56, 64}, {39.9, 40.1}, {9.9, 10.1}} {
		e.Advance(float64(100*i) + 5)
		e.Take()
		e.Advance(float64(100*i) + 100)
		if got := float64(e.Take()[0].Carried) / 95; got < want.min || got > want.max {
			t.Errorf("period %d: carried %.1f/s, want %v to %v", i, got, want.min, want.max)
		}
	}
}

func TestTimeouts(t *testing.T) {
	// Work of 1 s and a timeout of .6 s: nothing is ever carried. A request in
	// service keeps its server for the whole second although it was answered.
	g := single(1, 10, emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: 1})
	g.Services[0].TimeoutSeconds, g.Services[0].BoundSeconds = .6, .5
	e := start(t, emulator.Options{Graph: g, Seed: 10})
	e.Advance(1000)
	got := e.Take()[0]
	if got.Carried != 0 || got.Slow != got.TimedOut || got.TimedOut != got.Answered || math.Abs(got.LatencySeconds-.6*float64(got.Answered)) > 1e-6 {
		t.Errorf("totals %+v, want nothing but answers at .6 s", got)
	}
	if got.InFlight > 30 {
		t.Errorf("%d in flight: timed-out requests stay in the queue", got.InFlight)
	}
	counts := values(e, emulator.RequestDurationBase+"_bucket")
	if n := float64(got.TimedOut); counts["s v1 504 UT 1000"] != n || counts["s v1 504 UT 500"] != 0 || counts["s v1 504 UT +Inf"] != n {
		t.Errorf("buckets %v, want %v answers between 500 and 1000 ms", counts, n)
	}
}

func TestBucketsOfTheGraph(t *testing.T) {
	g := single(10, 100, emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: .03})
	g.BucketBounds = []float64{35, 25}
	e := start(t, emulator.Options{Graph: g, Seed: 11, Initial: emulator.Settings{Blocking: []float64{.1}}})
	e.Advance(10)
	total, buckets := e.Take()[0], values(e, emulator.RequestDurationBase+"_bucket")
	if n := float64(total.Carried); buckets["s v1 200 - 35"] < .9*n || buckets["s v1 200 - 25"] != 0 || buckets["s v1 200 - +Inf"] != n {
		t.Errorf("%v carried, buckets %v", n, buckets)
	}
	if got := buckets["s unknown 429 FI 0.5"]; got != float64(total.Blocked) {
		t.Errorf("%v refusals in the first bucket, want %d", got, total.Blocked)
	}
	if got := values(e, emulator.RequestDurationBase+"_sum")["s v1 200 -"]; math.Abs(got-1000*total.LatencySeconds) > 1e-6*got {
		t.Errorf("sum of %v ms, want %v s", got, total.LatencySeconds)
	}
	if got := values(e, emulator.RequestDurationBase+"_count")["s v1 200 -"]; got != float64(total.Carried) {
		t.Errorf("count %v, want %d", got, total.Carried)
	}
}

func TestRandomMeshesConserveRequests(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		g := randomGraph(r)
		a := start(t, emulator.Options{Graph: g, Seed: seed})
		same := start(t, emulator.Options{Graph: g, Seed: seed})
		other := start(t, emulator.Options{Graph: g, Seed: seed})
		var sum []emulator.Totals
		for range g.Services {
			sum = append(sum, emulator.Totals{})
		}
		for second := range 25 {
			s := randomSettings(r, g)
			apply(t, a, s)
			apply(t, same, s)
			a.Advance(float64(second + 1))
			// Another rhythm of calls must not matter.
			same.Advance(float64(second) + .3)
			same.Advance(float64(second + 1))
			other.Advance(float64(second + 1))
			totals, again, others := a.Take(), same.Take(), other.Take()
			if d := cmp.Diff(totals, again); d != "" {
				t.Fatalf("seed %d: the same run differs:\n%s", seed, d)
			}
			for i, x := range totals {
				if first := x.Offered - x.Retries; first != others[i].Offered-others[i].Retries {
					t.Fatalf("seed %d second %d service %d: %d arrived, but %d under other settings", seed, second, i, first, others[i].Offered-others[i].Retries)
				}
				y := &sum[i]
				y.Offered, y.Retries, y.Blocked, y.Answered = y.Offered+x.Offered, y.Retries+x.Retries, y.Blocked+x.Blocked, y.Answered+x.Answered
				y.Carried, y.TimedOut, y.GivenUp = y.Carried+x.Carried, y.TimedOut+x.TimedOut, y.GivenUp+x.GivenUp
				if x.Answered != x.Carried+x.TimedOut || x.InFlight < 0 || x.Waiting < 0 ||
					y.Offered != y.Blocked+y.Answered+x.InFlight ||
					y.Offered-y.Retries != y.Carried+y.GivenUp+x.InFlight+x.Waiting ||
					y.Blocked+y.TimedOut != y.GivenUp+y.Retries+x.Waiting {
					t.Fatalf("seed %d second %d service %d: %+v does not add up, sum %+v", seed, second, i, x, *y)
				}
			}
		}
	}
}

func path(o *emulator.Options) []emulator.Visit { return o.Graph.Services[0].Destinations[0].Path }

func fork(branches ...emulator.Visit) emulator.Visit { return emulator.Visit{Fork: branches} }

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *emulator.Options)
		want   string
	}{
		"shape":          {func(o *emulator.Options) { o.Graph.Nodes[0].Work.Shape = "flat" }, `node front-1: work of shape "flat"`},
		"mean":           {func(o *emulator.Options) { o.Graph.Nodes[0].Work.MeanSeconds = math.NaN() }, "mean work of NaN"},
		"cv":             {func(o *emulator.Options) { o.Graph.Nodes[0].Work.CV = 2 }, "takes no coefficient"},
		"lognormal":      {func(o *emulator.Options) { o.Graph.Nodes[0].Work.Shape = emulator.Lognormal }, "coefficient of variation of 0"},
		"node name":      {func(o *emulator.Options) { o.Graph.Nodes[1].Name = "front-1" }, "names must be there and differ"},
		"servers":        {func(o *emulator.Options) { o.Graph.Nodes[0].Concurrency = 0 }, "0 servers"},
		"no services":    {func(o *emulator.Options) { o.Graph.Services = nil }, "no services"},
		"service":        {func(o *emulator.Options) { o.Graph.Services[1].Name = "information" }, "names must be there and differ"},
		"load":           {func(o *emulator.Options) { o.Graph.Services[0].Load = nil }, "needs a load"},
		"greatest":       {func(o *emulator.Options) { o.Graph.Services[0].Load = load.Constant(math.Inf(1)) }, "needs a load"},
		"timeout":        {func(o *emulator.Options) { o.Graph.Services[0].TimeoutSeconds = 0 }, "timeout of 0"},
		"bound":          {func(o *emulator.Options) { o.Graph.Services[0].BoundSeconds = -1 }, "bound of -1"},
		"nowhere":        {func(o *emulator.Options) { o.Graph.Services[0].Destinations = nil }, "no destinations"},
		"destination":    {func(o *emulator.Options) { o.Graph.Services[0].Destinations[1].Name = "v1" }, "names must be there and differ"},
		"path":           {func(o *emulator.Options) { o.Graph.Services[0].Destinations[0].Path = nil }, "visits no node"},
		"visit":          {func(o *emulator.Options) { o.Graph.Services[0].Destinations[0].Path[0].Node = "x" }, `node "x"`},
		"work":           {func(o *emulator.Options) { o.Graph.Services[0].Destinations[0].Path[0].Work = 0 }, "0 times the work"},
		"fork and node":  {func(o *emulator.Options) { path(o)[0].Fork = []emulator.Visit{{Node: "store", Work: 1}} }, "not both"},
		"fork of a fork": {func(o *emulator.Options) { path(o)[0] = fork(fork(emulator.Visit{Node: "store", Work: 1})) }, "forks within a fork"},
		"branch":         {func(o *emulator.Options) { path(o)[0] = fork(emulator.Visit{Node: "x", Work: 1}) }, `node "x"`},
		"pauses":         {func(o *emulator.Options) { o.Graph.Nodes[0].Pauses.MeanSeconds = 1 }, "pauses of 1 seconds every 0"},
		"bursts":         {func(o *emulator.Options) { o.Graph.Nodes[0].Bursts.EverySeconds = math.Inf(1) }, "bursts of 0 seconds"},
		"burst factor": {func(o *emulator.Options) {
			o.Graph.Nodes[0].Bursts = emulator.Bursts{EverySeconds: 1, MeanSeconds: 1, Factor: -1}
		}, "bursts of -1 times"},
		"burst factor alone": {func(o *emulator.Options) { o.Graph.Nodes[0].Bursts.Factor = .5 }, "how often"},
		"retries of nothing": {func(o *emulator.Options) {
			o.Graph.Services[0].Retries = emulator.Retries{Attempts: 1, BackoffSeconds: 1}
		}, "retries of nothing"},
		"retries": {func(o *emulator.Options) {
			o.Graph.Services[0].Retries = emulator.Retries{Attempts: 99, BackoffSeconds: 1, Refused: true}
		}, "99 retries"},
		"back-off":            {func(o *emulator.Options) { o.Graph.Services[0].Retries = emulator.Retries{Attempts: 1, Refused: true} }, "retries after 0 seconds"},
		"fault node":          {func(o *emulator.Options) { o.Graph.Faults[0].Node = "x" }, `no node "x"`},
		"fault time":          {func(o *emulator.Options) { o.Graph.Faults[0].To = 60 }, "want 0 <= from < to"},
		"factor":              {func(o *emulator.Options) { o.Graph.Faults[0].Factor = -1 }, "factor -1"},
		"bucket":              {func(o *emulator.Options) { o.Graph.BucketBounds = []float64{0} }, "bucket bound of 0"},
		"settle":              {func(o *emulator.Options) { o.SettleSeconds = -1 }, "settle in -1"},
		"weights":             {func(o *emulator.Options) { o.Initial.Weights = [][]float64{{1, 0}} }, "weights of 1 services"},
		"weight":              {func(o *emulator.Options) { o.Initial.Weights = [][]float64{{2, -1}, nil} }, "is -1"},
		"weight sum":          {func(o *emulator.Options) { o.Initial.Weights = [][]float64{{0, 0}, nil} }, "sum to 0"},
		"destination weights": {func(o *emulator.Options) { o.Initial.Weights = [][]float64{{1}, nil} }, "1 weights of service information"},
		"blockings":           {func(o *emulator.Options) { o.Initial.Blocking = []float64{1} }, "blocking of 1 services"},
		"blocking":            {func(o *emulator.Options) { o.Initial.Blocking = []float64{0, 1.1} }, "checkout is 1.1"},
		"nodes":               {func(o *emulator.Options) { o.Initial.Replicas = []int{1} }, "replicas of 1 nodes"},
		"replicas":            {func(o *emulator.Options) { o.Initial.Replicas = []int{1, 1, -1} }, "-1 replicas of node store"},
	} {
		o := emulator.Options{Graph: shop()}
		c.change(&o)
		if _, err := emulator.New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
