package backtest

import (
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// mostStretches bound the plots of a long history.
const mostStretches = 120

// timeline is what was and what would have been, over time.
type timeline struct {
	from  time.Time
	width time.Duration
	at    []stretch
	names []string
}

// stretch is a part of the time. Slices are by service.
type stretch struct {
	acts, intervals, covered int
	offered, carried, was    []sum
	broken, wasBroken        []sum // of all objectives
}

// Stretch is a part of the judged time.
type Stretch struct {
	From     time.Time        `json:"from"`
	Acts     int              `json:"acts"`
	Covered  float64          `json:"covered_ratio"`
	Services []StretchService `json:"services"`
}

// StretchService is what it was for a service, and what it would have been; nil: not known.
type StretchService struct {
	Service          string   `json:"service"`
	Offered          *float64 `json:"offered"`
	Carried          *float64 `json:"carried"`
	CarriedMeasured  *float64 `json:"carried_measured"`
	Violated         *float64 `json:"violated_ratio"`
	ViolatedMeasured *float64 `json:"violated_ratio_measured"`
}

func newTimeline(from, to time.Time, services []policy.Service) *timeline {
	span := to.Sub(from)
	t := &timeline{from: from, width: max(span/mostStretches, time.Minute).Round(time.Second)}
	n := len(services)
	for range int(span/t.width) + 1 {
		t.at = append(t.at, stretch{offered: make([]sum, n), carried: make([]sum, n), was: make([]sum, n), broken: make([]sum, n), wasBroken: make([]sum, n)})
	}
	for _, s := range services {
		t.names = append(t.names, s.Name)
	}
	return t
}

// stretch is that of an instant of the judged time.
func (t *timeline) stretch(at time.Time) *stretch {
	return &t.at[max(0, min(len(t.at)-1, int(at.Sub(t.from)/t.width)))]
}

func (t *timeline) stretches() []Stretch {
	out := []Stretch{}
	for i, b := range t.at {
		if b.intervals == 0 {
			continue
		}
		s := Stretch{From: t.from.Add(time.Duration(i) * t.width), Acts: b.acts, Covered: float64(b.covered) / float64(b.intervals)}
		for k, name := range t.names {
			s.Services = append(s.Services, StretchService{
				Service: name, Offered: b.offered[k].share(), Carried: b.carried[k].share(), CarriedMeasured: b.was[k].share(),
				Violated: b.broken[k].share(), ViolatedMeasured: b.wasBroken[k].share(),
			})
		}
		out = append(out, s)
	}
	return out
}

// sum is that of what is known, and of how much there is.
type sum struct{ total, n float64 }

func (s *sum) add(v float64) {
	if !math.IsNaN(v) {
		s.total, s.n = s.total+v, s.n+1
	}
}

// mean is NaN where nothing is known.
func (s sum) mean() float64 { return s.total / s.n }

// share is a mean that JSON can write; nil: not known.
func (s sum) share() *float64 {
	if s.n == 0 {
		return nil
	}
	v := s.mean()
	return &v
}
