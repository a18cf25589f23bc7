package daemon

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
)

// The stages of the latency budget that are no part of one cycle.
const (
	stageSettle = "settle"     // from the cycle that acted to the first that measured its settings, in force
	stageAge    = "sample_age" // of the newest sample at the time of the cycle: scrape, look-back and offset
)

// newHistogram registers a histogram of durations, with classic and native buckets.
func newHistogram(r *prometheus.Registry, name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                        []float64{.0001, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		NativeHistogramBucketFactor:    1.1,
		NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
	r.MustRegister(v)
	return v
}

// observeStages adds what a cycle took, with its number as the exemplar: `windvane explain`
// tells of it.
func (m *metrics) observeStages(r loop.Report, s *settling) {
	cycle := prometheus.Labels{"cycle": strconv.FormatUint(r.Intent.Cycle, 10)}
	add := func(stage string, d time.Duration) {
		o := m.stages.WithLabelValues(r.Mesh, stage)
		if e, ok := o.(prometheus.ExemplarObserver); ok {
			e.ObserveWithExemplar(d.Seconds(), cycle)
			return
		}
		o.Observe(d.Seconds())
	}
	for _, s := range r.Stages {
		add(string(s.Stage), s.Took)
	}
	if took, ok := s.pass(r); ok {
		add(stageSettle, took)
	}
	if at, ok := newestSample(r.Intent.State); ok {
		add(stageAge, r.At.Sub(at))
	}
}

// countMissed counts the cycles that were due between two that took place.
func (m *metrics) countMissed(before *loop.Report, r loop.Report, interval time.Duration) {
	missed := m.missed.WithLabelValues(r.Mesh)
	if before == nil {
		return
	}
	if n := r.At.Sub(before.At.Truncate(interval))/interval - 1; n > 0 { // the one before may have been woken
		missed.Add(float64(n))
	}
}

func newestSample(s policy.State) (newest time.Time, ok bool) {
	for _, x := range s {
		if x.Status == policy.Valid && x.At.After(newest) {
			newest, ok = x.At, true
		}
	}
	return newest, ok
}

// settling follows the last action of a mesh until it was measured. The zero value follows none.
type settling struct {
	cycle     uint64 // 0: none
	at        time.Time
	converged bool
}

// pass takes a cycle's report. It returns how long the action took, once, at the first cycle
// in which its settings were in force and an objective was measured.
func (s *settling) pass(r loop.Report) (took time.Duration, ok bool) {
	if o := r.Outcome; o != nil && s.cycle > 0 {
		if o.Cycle == s.cycle {
			s.converged = o.Result == journal.ResultConverged
		}
		if s.converged && anyKnown(o.Errors) {
			took, ok = r.At.Sub(s.at), true
			*s = settling{}
		}
	}
	if r.Intent.Act {
		*s = settling{cycle: r.Intent.Cycle, at: r.At}
	}
	return took, ok
}

func anyKnown(errors []journal.ObjectiveError) bool {
	for _, e := range errors {
		if e.Known {
			return true
		}
	}
	return false
}
