package env

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/load"
)

// Loads is a process of offered loads. The ones of this package are Chain, for a finite
// set of points, and Timed, for functions of time. What a lane's process is in is kept
// in its Lane, so that one Loads serves all lanes.
type Loads interface {
	// Check reports whether the process is well formed and for so many services.
	Check(services int) error
	// Points lists the loads, [point][service] in requests/s; nil: a continuum.
	Points() [][]float64
	// Start begins an episode of a lane.
	Start(at *Lane, rng *rand.PCG)
	// Next moves a lane to the next interval.
	Next(at *Lane, rng *rand.PCG)
	// Offered writes the loads of a lane, by service in requests/s. It is asked only
	// where Points is nil.
	Offered(at *Lane, out []float64)
}

// Lane is where the loads of one lane are.
type Lane struct {
	Point int32   // of a finite set
	Time  float64 // seconds since the start of the process, of a continuum
}

// Timed are loads that are functions of time: sinusoids, steps, replays of recorded
// loads, or whatever sim/load composes.
type Timed struct {
	Processes       []load.Process // by service
	IntervalSeconds float64
	// StartWithinSeconds is the time before which an episode starts, drawn uniformly;
	// 0: each starts at time 0. Over a common period of the processes, it draws the phase.
	StartWithinSeconds float64
}

// Check implements Loads.
func (t Timed) Check(services int) error {
	if len(t.Processes) != services {
		return fmt.Errorf("env: loads of %d services, want %d", len(t.Processes), services)
	}
	for s, p := range t.Processes {
		if p == nil || math.IsNaN(p.Max()) || math.IsInf(p.Max(), 0) {
			return fmt.Errorf("env: the load of service %d is missing or not finite", s)
		}
	}
	if !(t.IntervalSeconds > 0) || math.IsInf(t.IntervalSeconds, 1) || !(t.StartWithinSeconds >= 0) || math.IsInf(t.StartWithinSeconds, 1) {
		return fmt.Errorf("env: intervals of %v s that start within %v s; want finite numbers, above 0 and of at least 0",
			t.IntervalSeconds, t.StartWithinSeconds)
	}
	return nil
}

// Points implements Loads: there are none.
func (t Timed) Points() [][]float64 { return nil }

// Start implements Loads.
func (t Timed) Start(at *Lane, rng *rand.PCG) {
	at.Time = t.StartWithinSeconds * (float64(rng.Uint64()>>11) / (1 << 53))
}

// Next implements Loads.
func (t Timed) Next(at *Lane, _ *rand.PCG) { at.Time += t.IntervalSeconds }

// Offered implements Loads.
func (t Timed) Offered(at *Lane, out []float64) {
	for s, p := range t.Processes {
		out[s] = p.Rate(at.Time)
	}
}
