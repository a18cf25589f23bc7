package demo

import (
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/station"
)

// PhaseAll is the total of part 3.
const PhaseAll = "all"

// The controllers of part 3, in the order of the table.
const (
	ControllerNone      = "none"      // the initial settings stay
	ControllerStatic    = "static"    // the best single setting, found in hindsight
	ControllerThreshold = "threshold" // hysteresis rules, without a model
	ControllerTabular   = "tabular"   // the autopilot
)

// Controllers are all of them.
var Controllers = []string{ControllerNone, ControllerStatic, ControllerThreshold, ControllerTabular}

// Row is one line of the demo's table: a service under a controller in a phase.
type Row struct {
	Phase         string  `json:"phase"`
	Controller    string  `json:"controller"`
	Service       string  `json:"service"`
	Intervals     int     `json:"intervals"`
	ViolatedRatio float64 `json:"violated_ratio"` // of the intervals that could be judged
	CarriedRatio  float64 `json:"carried_ratio"`  // of the offered requests, answered in time
	BlockedRatio  float64 `json:"blocked_ratio"`  // of the offered requests, refused
	Actions       int     `json:"actions"`        // cycles that changed a setting of the service

	Offered int `json:"-"` // requests
	Carried int `json:"-"` // requests
	Blocked int `json:"-"` // requests
}

// tally adds up one station's cycles, by phase and service. It may be read while it is filled.
type tally struct {
	scenario *Scenario
	knobs    map[policy.KnobID]string // service of a knob

	mu     sync.Mutex
	counts map[string]map[string]*counts // by phase, then service
	last   station.Step
	done   int // intervals
}

// counts are one service's.
type counts struct {
	intervals, known          int
	violated                  float64
	offered, carried, blocked int
	actions                   int
}

func newTally(s *Scenario, knobs []policy.Knob) *tally {
	t := &tally{scenario: s, knobs: map[policy.KnobID]string{}, counts: map[string]map[string]*counts{}}
	for _, k := range knobs {
		t.knobs[k.KnobID] = k.Service
	}
	return t
}

// add counts the interval that ended with the step. The action of the step belongs
// to the next one.
func (t *tally) add(s station.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := s.Report.Outcome; o != nil {
		phase := t.scenario.PhaseAt(s.Report.At.Sub(station.Epoch).Seconds())
		t.done++
		for i, service := range t.scenario.Graph.Services {
			c := t.of(phase, service.Name)
			c.intervals++
			c.offered += s.Totals[i].Offered
			c.carried += s.Totals[i].Carried
			c.blocked += s.Totals[i].Blocked
		}
		for _, e := range o.Errors {
			if e.Known {
				c := t.of(phase, e.Service)
				c.known++
				c.violated += e.Error
			}
		}
		if t.last.Report.Intent.Act {
			changed := map[string]bool{}
			for _, c := range t.last.Report.Intent.Plan {
				changed[t.knobs[c.KnobID]] = true
			}
			for service := range changed {
				t.of(phase, service).actions++
			}
		}
	}
	t.last = s
}

func (t *tally) of(phase, service string) *counts {
	if t.counts[phase] == nil {
		t.counts[phase] = map[string]*counts{}
	}
	c := t.counts[phase][service]
	if c == nil {
		c = &counts{}
		t.counts[phase][service] = c
	}
	return c
}

// row adds up the given phases of a service.
func (t *tally) row(name, controller, service string, phases ...string) Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum counts
	for _, p := range phases {
		if c := t.counts[p][service]; c != nil {
			sum.intervals += c.intervals
			sum.known += c.known
			sum.violated += c.violated
			sum.offered += c.offered
			sum.carried += c.carried
			sum.blocked += c.blocked
			sum.actions += c.actions
		}
	}
	return Row{
		Phase: name, Controller: controller, Service: service, Intervals: sum.intervals,
		ViolatedRatio: share(sum.violated, sum.known), CarriedRatio: share(float64(sum.carried), sum.offered),
		BlockedRatio: share(float64(sum.blocked), sum.offered), Actions: sum.actions,
		Offered: sum.offered, Carried: sum.carried, Blocked: sum.blocked,
	}
}

func share(part float64, of int) float64 {
	if of == 0 {
		return 0
	}
	return part / float64(of)
}

// progress returns how many intervals are done, and the last step.
func (t *tally) progress() (int, station.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done, t.last
}
