package env

import "github.com/windvane/windvane/sim/model"

// Backend says what an interval is worth. The two of this package are Grid and System.
// It is immutable, so that environments on several goroutines can share it.
type Backend interface {
	// Space returns the space of actions.
	Space() *Space
	// Offered returns, by service, the range of offered loads that is known, requests/s.
	Offered() []model.Span
	// Prepare returns what one environment asks, each interval. Points are those of a
	// finite set of loads, [point][service] in requests/s, so that their worth can be
	// looked up; nil where the loads are a continuum.
	Prepare(points [][]float64) (Rewarder, error)
}

// Rewarder writes the worth of one interval of each lane. It does not allocate, and is
// for one goroutine.
type Rewarder interface {
	Rewards(out []float32, b *Batch)
}

// Batch is one interval of every lane. It is only read.
type Batch struct {
	Lanes   int
	Point   []int32   // [lane]: which of the prepared points the loads are; nil: a continuum
	Offered []float64 // [lane][service]: the loads in requests/s, where they are a continuum
	Live    []int32   // [lane][axis]: the settings in force, by category
}

// Goal is the worth of an interval. Slices are by service: latency in seconds, offered
// load in requests/s, admitted as the share of it that is not blocked; cost is that of
// the action (of its replicas) for the interval. It is a pure function and keeps nothing.
type Goal interface {
	Reward(latency, offered, admitted []float64, cost float64) float64
}
