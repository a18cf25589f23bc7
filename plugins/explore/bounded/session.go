package bounded

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Bounds are what an exploration may do.
type Bounds struct {
	Intervals int     `json:"intervals"` // to measure
	Allowance float64 `json:"allowance"` // violated intervals of each objective, beyond what the baseline would have had
	Seed      uint64  `json:"seed"`
}

// MostIntervals bounds the intervals of a session: each of its choices goes over all of them.
const MostIntervals = 2000

// Check reports the first of the bounds that is out of range.
func (b Bounds) Check() error {
	switch {
	case b.Intervals < 1 || b.Intervals > MostIntervals:
		return fmt.Errorf("%d intervals: want 1 to %d", b.Intervals, MostIntervals)
	case !(b.Allowance >= 0 && b.Allowance <= float64(b.Intervals)):
		return fmt.Errorf("an allowance of %v violated intervals: want 0 up to the number of intervals, %d", b.Allowance, b.Intervals)
	}
	return nil
}

// Session is an exploration. It is for one goroutine.
type Session struct {
	Bounds
	Baseline policy.Action `json:"baseline"`
	Rows     []Row         `json:"rows"`

	left dataset.Queue
}

// Row is one interval under settings that stayed.
type Row struct {
	Settings []float64 `json:"settings"`           // in the order of the baseline
	Offered  []float64 `json:"offered"`            // by service, requests/s
	Signals  signals   `json:"signals"`            // by objective, in the order of the services
	Baseline bool      `json:"baseline,omitempty"` // under the settings of the baseline
	Queue    bool      `json:"queue,omitempty"`    // it began with the queue of other settings: it says nothing about its own
}

// signals are measured values; NaN, and null in JSON: not measured.
type signals []float64

func (s signals) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(s))
	for i, v := range s {
		if !math.IsNaN(v) {
			out[i] = &v
		}
	}
	return json.Marshal(out)
}

func (s *signals) UnmarshalJSON(src []byte) error {
	var in []*float64
	if err := json.Unmarshal(src, &in); err != nil {
		return err
	}
	*s = make(signals, len(in))
	for i, v := range in {
		if (*s)[i] = math.NaN(); v != nil {
			(*s)[i] = *v
		}
	}
	return nil
}

// Fits reports whether the session is one of the observation's mesh, as it is now.
func (s *Session) Fits(o policy.Observation) error {
	if err := s.Baseline.Validate(o.Knobs); err != nil {
		return fmt.Errorf("its baseline does not fit the rules file any more: %w", err)
	}
	for _, r := range s.Rows {
		if len(r.Settings) != len(o.Knobs) || len(r.Offered) != len(o.Services) || len(r.Signals) != len(objectivesOf(o.Services)) {
			return errors.New("its intervals are of other services, objectives or knobs than the rules file has now")
		}
	}
	return nil
}

// Measure takes the interval that has just ended, under the live settings. Steady says that
// they were in force in all of it and had settled; else it is no row, nor is one whose
// offered loads are not known.
func (s *Session) Measure(o policy.Observation, steady bool) {
	s.left.Services = o.Services
	queue := s.left.Over(o.Live, o.State)
	if !steady {
		return
	}
	r := Row{Settings: o.Live.Values(), Baseline: o.Live.Equal(s.Baseline, policy.Rounding), Queue: queue}
	for _, x := range o.Services {
		v, ok := o.State.Role(x.Name, policy.RoleOffered).Get()
		if !ok || !(v >= 0) || math.IsInf(v, 1) {
			return
		}
		r.Offered = append(r.Offered, v)
		for _, promise := range x.Objectives {
			v, ok := o.State.Find(x.Name, promise.Signal).Get()
			if !ok {
				v = math.NaN()
			}
			r.Signals = append(r.Signals, v)
		}
	}
	s.Rows = append(s.Rows, r)
}

// Done reports whether all intervals were measured.
func (s *Session) Done() bool { return len(s.Rows) >= s.Intervals }

// Account is what was spent so far, by objective. It is an error if the session is of
// another mesh than the observation.
func (s *Session) Account(o policy.Observation) ([]Spent, error) {
	if err := s.Fits(o); err != nil {
		return nil, err
	}
	m := newModel(newFlows(o.Knobs, o.Services), s.Rows, objectivesOf(o.Services))
	return newCounterfactual(m, s.Baseline.Values(), s.Rows).account(s.Rows), nil
}
