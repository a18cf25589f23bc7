package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Queue is a grey-box model of the latency: a queue behind every name of a destination,
// which all routes to that name share, and one that all requests share. What it knows
// of them is fitted: see queueLaw. Unlike trees it knows what a lost share of one
// queue's capacity does to every action.
type Queue struct {
	Names []string // of the queues; the shared one is the last

	law    queueLaw
	values []float64 // of the law's parameters
}

// FitQueue fits the model by robust least squares on the logarithm of the latency, of
// all services at once. Of many rows every so many are taken. It is deterministic. It
// is ErrNoQueues if the mesh scales replicas, or has more queues or services than 63,
// and an error if there are fewer rows than parameters.
func FitQueue(d *dataset.Dataset, knobs []policy.Knob) (*Queue, error) {
	if err := identifiable(d, knobs); err != nil {
		return nil, err
	}
	law, err := newQueueLaw(knobs, d.Services)
	if err != nil {
		return nil, err
	}
	p := law.problem(d)
	if len(p.rows) < law.size {
		return nil, fmt.Errorf("model: %d rows with a latency are too few for %d parameters", len(p.rows), law.size)
	}
	q := &Queue{Names: append(slices.Clone(law.parts), "shared"), law: law}
	best, theta := math.Inf(1), []float64(nil)
	for _, utilisation := range []float64{.4, .8, 1.2} { // at the most flow in the data; it is where local optima are
		some := p.every(3)
		from := law.prior(some, utilisation)
		if cost := some.descend(from, 15); cost < best {
			best, theta = cost, from
		}
	}
	if theta == nil {
		return nil, errors.New("model: no queue explains the latencies; check their unit (seconds)")
	}
	p.center = law.prior(p, .8)
	p.descend(theta, 40)
	q.values = exponentials(theta)
	return q, nil
}

// Latency writes each service's expected latency (seconds) into out, with queues that
// have the given shares of the capacity that they had in the data; NaN where no route
// has a weight. It does not allocate.
func (q *Queue) Latency(out, capacity, settings, offered []float64) {
	q.law.latency(out, q.values, capacity, settings, offered)
	for s, v := range out {
		out[s] = math.Exp(v)
	}
}

func exponentials(theta []float64) []float64 {
	out := make([]float64, len(theta))
	for i, v := range theta {
		out[i] = math.Exp(v)
	}
	return out
}
