package model

import (
	"math"
	"slices"
)

// CapacityFilter learns live which of a Queue's queues has lost or gained capacity, and
// how much: one number, whatever the actions by which it was learned, so that it speaks
// for actions that were never tried. It is a bank of extended Kalman filters, each of
// which holds that one queue alone has changed, and one that nothing has; they are
// weighed by how well they told the recent intervals. Two queues that change together
// are beyond it. It is for one goroutine.
type CapacityFilter struct {
	queue *Queue
	bank  []hypothesis // that each queue has changed; the last: none has
	units []float64    // capacities of 1
	asked []float64
	out   []float64
	known []float64
}

// hypothesis is the logarithm of one queue's capacity, and how badly it told what was
// measured: a decayed negative logarithm of the likelihood.
type hypothesis struct{ log, variance, badness float64 }

// The constants were chosen on seeds that nothing is reported of.
const (
	capacityPrior  = .1   // standard deviation of the logarithm at the start
	capacityWalk   = .015 // and of what an interval adds to it
	capacityNoise  = .2   // standard deviation of an interval's latency, of the logarithm
	capacityDoubt  = .36  // the same when hypotheses are weighed: intervals that follow each other tell the same
	capacityMemory = .99  // of the badness, per interval
	changePenalty  = 1.   // badness of holding that anything has changed
	mostSurprise   = .6   // of one interval, of the logarithm: a stall is no fault
	leastCapacity  = .2
	mostCapacity   = 3
)

// NewCapacityFilter has seen nothing.
func NewCapacityFilter(q *Queue) *CapacityFilter {
	n := len(q.Names)
	f := &CapacityFilter{
		queue: q, bank: make([]hypothesis, n+1), units: slices.Repeat([]float64{1}, n),
		asked: make([]float64, n), out: make([]float64, q.law.services), known: make([]float64, q.law.services),
	}
	for i := range n {
		f.bank[i].variance = capacityPrior * capacityPrior
	}
	return f
}

// Learn takes an interval in which each service's latency was so many times what a
// model said of it that knows of no change; NaN: not measured. The model need not be
// the Queue.
func (f *CapacityFilter) Learn(settings, offered, ratio []float64) {
	f.queue.law.latency(f.known, f.queue.values, f.units, settings, offered)
	for i := range f.bank {
		h := &f.bank[i]
		h.badness *= capacityMemory
		if i < len(f.units) {
			h.variance += capacityWalk * capacityWalk
		}
		for s, r := range ratio {
			if r > 0 && !math.IsNaN(f.known[s]) {
				f.update(i, s, math.Log(r), settings, offered)
			}
		}
	}
}

// update is the step of one filter for one service.
func (f *CapacityFilter) update(i, service int, measured float64, settings, offered []float64) {
	h := &f.bank[i]
	told := f.logFactor(i, h.log, service, settings, offered)
	surprise := max(-mostSurprise, min(mostSurprise, measured-told))
	h.badness += surprise * surprise / (2 * capacityDoubt * capacityDoubt)
	if h.variance == 0 {
		return
	}
	const step = 1e-3
	slope := (f.logFactor(i, h.log+step, service, settings, offered) - told) / step
	gain := h.variance * slope / (h.variance*slope*slope + capacityNoise*capacityNoise)
	h.variance -= gain * slope * h.variance
	h.log = max(math.Log(leastCapacity), min(math.Log(mostCapacity), h.log+gain*surprise))
}

// logFactor is what one queue's capacity does to the logarithm of a service's latency.
func (f *CapacityFilter) logFactor(i int, log float64, service int, settings, offered []float64) float64 {
	copy(f.asked, f.units)
	if i < len(f.asked) {
		f.asked[i] = math.Exp(log)
	}
	f.queue.law.latency(f.out, f.queue.values, f.asked, settings, offered)
	return f.out[service] - f.known[service]
}

// Capacity writes the share of its capacity that each queue has, as far as there is
// evidence, into out.
func (f *CapacityFilter) Capacity(out []float64) {
	n := len(f.units)
	least := f.bank[n].badness
	for _, h := range f.bank[:n] {
		least = min(least, h.badness+changePenalty)
	}
	sum := math.Exp(least - f.bank[n].badness)
	for i, h := range f.bank[:n] {
		out[i] = math.Exp(least - h.badness - changePenalty)
		sum += out[i]
	}
	for i, h := range f.bank[:n] {
		out[i] = math.Exp(h.log * out[i] / sum)
	}
}
