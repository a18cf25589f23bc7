package eval

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// The phases of a run on the emulated mesh.
const (
	PhaseNormal = "normal" // as the policy has learned the mesh
	PhaseFault  = "fault"  // a node has lost servers
	PhaseBack   = "back"   // it has them again
	PhaseGrowth = "growth" // half as much load again, beyond what was learned
)

const growth = 1.5

// emulatorPhase is a stretch of a run.
type emulatorPhase struct {
	name      string
	intervals int
}

// emulatorIntervals has a phase, unless the options say otherwise.
const emulatorIntervals = 1000

func phasesOf(n int) []emulatorPhase {
	return []emulatorPhase{{PhaseNormal, n}, {PhaseFault, n}, {PhaseBack, n / 2}, {PhaseGrowth, n}}
}

// emulatorWarm intervals pass before the first phase, so that queues are as they would be.
const emulatorWarm = 12

// scenario is one run's mesh and load.
type scenario struct {
	seed     uint64
	interval time.Duration
	phases   []emulatorPhase
	graph    emulator.Graph
}

// newScenario draws the loads of a seed: sinusoids over the range that was learned, with
// a period of its own and a random angle for each service, for an even one; steps within
// it, of 60 intervals on average, for an odd one.
func (g Graph) newScenario(mesh emulator.Graph, interval time.Duration, phases []emulatorPhase, seed uint64) (scenario, error) {
	s := scenario{seed: seed, interval: interval, phases: phases, graph: mesh}
	rng := rand.New(rand.NewPCG(seed, streamScenario))
	s.graph.Services = append([]emulator.Service(nil), mesh.Services...)
	for i, r := range g.Loads {
		var process load.Process
		var err error
		if seed%2 == 0 {
			process, err = load.NewSine(load.Sine{
				Mean: (r.Least + r.Most) / 2, Amplitude: (r.Most - r.Least) / 2,
				PeriodSeconds: periods[i%len(periods)] * interval.Seconds(), Phase: 2 * math.Pi * rng.Float64(),
			})
		} else {
			process, err = s.steps(r, rng)
		}
		if err != nil {
			return s, err
		}
		if from, to := s.span(PhaseGrowth); to > from {
			process, err = load.NewBurst(process, load.Window{From: from, To: to, Factor: growth})
			if err != nil {
				return s, err
			}
		}
		s.graph.Services[i].Load = process
	}
	fault := g.Fault
	if fault.From, fault.To = s.span(PhaseFault); fault.To > fault.From {
		s.graph.Faults = []emulator.Fault{fault}
	}
	return s, nil
}

// steps draws a staircase whose steps begin with intervals.
func (s scenario) steps(r LoadRange, rng *rand.Rand) (load.Process, error) {
	const stay = 60 // intervals on average
	at, rates := []float64{0}, []float64{r.Least + (r.Most-r.Least)*rng.Float64()}
	for t := 1; t < emulatorWarm+s.intervals(); t++ {
		if rng.Float64() < 1./stay {
			at = append(at, float64(t)*s.interval.Seconds())
			rates = append(rates, r.Least+(r.Most-r.Least)*rng.Float64())
		}
	}
	return load.NewSteps(at, rates)
}

func (s scenario) intervals() int {
	n := 0
	for _, p := range s.phases {
		n += p.intervals
	}
	return n
}

// from is when the first phase begins.
func (s scenario) from() time.Duration { return emulatorWarm * s.interval }

// span is when a phase begins and ends, in seconds.
func (s scenario) span(phase string) (from, to float64) {
	at := s.from()
	for _, p := range s.phases {
		end := at + time.Duration(p.intervals)*s.interval
		if p.name == phase {
			return at.Seconds(), end.Seconds()
		}
		at = end
	}
	return 0, 0
}

// phaseAt names the phase of the interval that ends at the given time.
func (s scenario) phaseAt(seconds float64) string {
	for _, p := range s.phases {
		if _, to := s.span(p.name); seconds <= to+1e-6 {
			return p.name
		}
	}
	return ""
}

// rates are the loads in the middle of the interval that ends at the given time, by
// service of the graph.
func (s scenario) rates(seconds float64, out []float64) {
	for i := range out {
		out[i] = s.graph.Services[i].Load.Rate(seconds - s.interval.Seconds()/2)
	}
}
