package eval

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/train"
)

// Timeline is a sample of a run: unseen load, on configurations held out.
type Timeline struct {
	Policy   string
	Seed     uint64
	From     int // the run's interval that it begins with
	Interval time.Duration
	Services []TimelineService
}

// TimelineService is a sample of a run for one service; slices are by interval.
type TimelineService struct {
	Name    string
	Bound   float64   // seconds; +Inf where there is none
	Latency []float64 // measured, seconds
	Aim     []float64 // the bound less the margin: where the policy's prediction may be, seconds
	Offered []float64 // requests/s
	Blocked []float64 // share
}

// The sample: from an interval on by which the margins have found their place.
const timelineFrom, timelineLength = 600, 240

// timeline records the first policy that plans under margins, nil without one.
func (r *arena) timeline(ctx context.Context, seed uint64) (*Timeline, error) {
	named := r.named()
	i := slices.IndexFunc(planners(), func(p string) bool { return slices.Contains(named, p) })
	if i < 0 {
		return nil, nil
	}
	to := min(timelineFrom+timelineLength, len(r.unseen.offered))
	s := series{offered: r.unseen.offered[:to], noise: r.unseen.noise[:to]}
	out := &Timeline{Policy: planners()[i], Seed: seed, From: timelineFrom, Interval: r.Rules.Interval}
	for i, service := range r.goal.Services {
		out.Services = append(out.Services, TimelineService{Name: service.Name, Bound: r.goal.Bound[i]})
	}
	watched := *r
	watched.watch = func(t int, o *policy.Observation, a *asker, latency []float64) {
		if t < timelineFrom {
			return
		}
		for i := range out.Services {
			one := &out.Services[i]
			one.Latency = append(one.Latency, latency[i])
			one.Aim = append(one.Aim, one.Bound/(1+marginOf(o.Services[i], r.goal.Signals[i])))
			one.Offered = append(one.Offered, s.offered[t][i])
			one.Blocked = append(one.Blocked, 1-a.admitted[i])
		}
	}
	if _, err := watched.one(ctx, out.Policy, train.ObjectiveBudget, s, nil); err != nil {
		return nil, fmt.Errorf("policy %s, timeline: %w", out.Policy, err)
	}
	return out, nil
}

// marginOf is the margin of a service's first objective on a signal, 0 without one.
func marginOf(s policy.Service, signal string) float64 {
	for _, o := range s.Objectives {
		if o.Signal == signal {
			return o.Margin
		}
	}
	return 0
}
