package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/sim/emulator"
)

// The mesh of the demo.
const (
	MeshName = "shop" // of the mesh and of its VirtualService
	Interval = 5 * time.Second
	Scrape   = time.Second // one scrape; the look-back is one interval
	Settle   = 500 * time.Millisecond

	information, compute = "information", "compute"
)

// The phases of the demo. Part 3 is made of the last three.
const (
	PhaseObserve  = "observe"  // part 1: nothing is controlled
	PhaseExplore  = "explore"  // part 2: settings are tried
	PhaseSinusoid = "sinusoid" // part 3: periods and phases never seen
	PhaseBurst    = "burst"    // sudden load for some tens of seconds
	PhaseFault    = "fault"    // a node has lost a third of its servers
)

// Lengths are the lengths of the demo's parts, in intervals. Zero is the default.
type Lengths struct {
	Observe int
	Explore int
	Act     int // split evenly over the phases of part 3
}

// DefaultLengths is the demo as it is shown.
var DefaultLengths = Lengths{Observe: 60, Explore: 600, Act: 600}

func (l Lengths) orDefault() Lengths {
	if l.Observe == 0 {
		l.Observe = DefaultLengths.Observe
	}
	if l.Explore == 0 {
		l.Explore = DefaultLengths.Explore
	}
	if l.Act == 0 {
		l.Act = DefaultLengths.Act
	}
	return l
}

// Phase is a stretch of intervals.
type Phase struct {
	Name      string
	From      time.Duration // since the start of the demo
	Intervals int
}

// To is the end of the phase.
func (p Phase) To() time.Duration { return p.From + time.Duration(p.Intervals)*Interval }

// Scenario is one run of the demo: the mesh, and the load of all parts. The same
// seed and lengths give the same one. One emulator with the graph and the seed sees
// all parts in sequence; whoever starts in part 3 sees the same requests there.
type Scenario struct {
	Seed    uint64
	Lengths Lengths
	Phases  []Phase
	Graph   emulator.Graph
}

// NewScenario draws the load of a seed.
func NewScenario(seed uint64, lengths Lengths) (*Scenario, error) {
	l := lengths.orDefault()
	if l.Observe < 1 || l.Explore < 1 || l.Act < 3 {
		return nil, fmt.Errorf("demo: parts of %d, %d and %d intervals; want at least 1, 1 and 3", l.Observe, l.Explore, l.Act)
	}
	s := &Scenario{Seed: seed, Lengths: l}
	third := l.Act / 3
	at := time.Duration(0)
	for _, p := range []Phase{
		{Name: PhaseObserve, Intervals: l.Observe},
		{Name: PhaseExplore, Intervals: l.Explore},
		{Name: PhaseSinusoid, Intervals: third},
		{Name: PhaseBurst, Intervals: third},
		{Name: PhaseFault, Intervals: l.Act - 2*third},
	} {
		p.From = at
		at = p.To()
		s.Phases = append(s.Phases, p)
	}
	loads, err := drawLoads(seed, s.Phases)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	s.Graph = graph(loads, s.phase(PhaseFault))
	return s, s.Graph.Validate()
}

func (s *Scenario) phase(name string) Phase {
	for _, p := range s.Phases {
		if p.Name == name {
			return p
		}
	}
	return Phase{}
}

// Act is when part 3 starts; it has Lengths.Act intervals.
func (s *Scenario) Act() time.Duration { return s.phase(PhaseSinusoid).From }

// PhaseAt names the phase of the interval that ends at the given time since the start.
func (s *Scenario) PhaseAt(seconds float64) string {
	for _, p := range s.Phases {
		if seconds <= p.To().Seconds()+1e-6 {
			return p.Name
		}
	}
	return ""
}

// Emulator returns the options of an emulator that sees the whole demo, with the
// initial settings: equal weights, nothing blocked.
func (s *Scenario) Emulator() emulator.Options {
	return emulator.Options{Graph: s.Graph, Seed: s.Seed, SettleSeconds: Settle.Seconds()}
}

// actEmulator is Emulator for those who have no use for what is before part 3: the
// load comes only shortly before, so that queues are as they would be.
func (s *Scenario) actEmulator() emulator.Options {
	o := s.Emulator()
	o.Graph.Services = slices.Clone(o.Graph.Services)
	for i := range o.Graph.Services {
		service := &o.Graph.Services[i]
		service.Load = quiet{process: service.Load, until: s.Act().Seconds() - 30}
	}
	return o
}

// The objectives' bounds, in seconds, and their error budget.
const (
	informationBound = .250
	computeBound     = .400
	Budget           = .05
	timeoutFactor    = 1.6 // of the bound
)

// graph is the mesh: two services over two versions of one tier of nodes. A
// request for compute is about twice the work, and the second version has fewer
// servers, so equal weights are not the best ones.
func graph(loads map[string]process, fault Phase) emulator.Graph {
	service := func(name string, work, bound float64) emulator.Service {
		return emulator.Service{
			Name: name, Load: loads[name], TimeoutSeconds: timeoutFactor * bound, BoundSeconds: bound,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: work}}},
				{Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: work}}},
			},
		}
	}
	return emulator.Graph{
		Nodes: []emulator.Node{
			{Name: "node-v1", Concurrency: 3, Replicas: 1, Work: emulator.Dist{Shape: emulator.Lognormal, MeanSeconds: .050, CV: .3}},
			{Name: "node-v2", Concurrency: 3, Replicas: 1, Work: emulator.Dist{Shape: emulator.Lognormal, MeanSeconds: .075, CV: .3}},
		},
		Services: []emulator.Service{
			service(compute, 2, computeBound),
			service(information, 1, informationBound),
		},
		Faults:       []emulator.Fault{{Node: "node-v2", From: fault.From.Seconds(), To: fault.To().Seconds(), Factor: 2. / 3}},
		BucketBounds: bucketBounds(),
	}
}

// bucketBounds are bounds in milliseconds that are dense around both objectives'
// bounds: a quantile is only as good as the bucket that it falls into.
func bucketBounds() []float64 {
	return []float64{75, 125, 150, 175, 200, 225, 275, 300, 330, 360, 400, 450, 550, 600, 700, 800, 900}
}
