// Package promise says what a promise costs: for one service and one offered load, the most
// that a mesh is expected to carry for each share of intervals in which the service's bound is
// to be kept.
//
// It is read off the table that a policy decides with, whose chances of a violation are those
// of the residuals on configurations held out, corrected by what was learned since. What lives
// here is that arithmetic; whose load and rules it is about is the caller's business.
package promise

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// Targets are the shares of intervals that a frontier has a point for.
var Targets = []float64{.5, .6, .7, .8, .85, .9, .925, .95, .96, .97, .98, .985, .99, .995, .999}

// Question is what a frontier is asked for.
type Question struct {
	Goal           *train.Goal
	Table          *model.Table
	Service        int              // position in the goal
	Offered        []float64        // requests/s, by service
	Services       []policy.Service // of the goal, with what the host learned of the model; without it the model's own word
	Configurations int              // that the residuals are of, which is how much they can say
}

// Point is the best that is expected under one target.
type Point struct {
	Target float64 `json:"target"` // share of intervals within the bound

	// Requests/s that the service carries, and all services together, at whose cost it may be
	// that one keeps its target. Low and High are where the chances of a violation are at the
	// ends of their 90 % interval. Null: nothing is expected to keep the target.
	Carried *float64 `json:"carried"`
	All     *float64 `json:"carried_all"`
	Low     *float64 `json:"carried_all_low"`
	High    *float64 `json:"carried_all_high"`

	Replicas *float64 `json:"replicas"`     // pods in all; null also where no workload is scaled
	Broken   *float64 `json:"broken_ratio"` // chance that the service's bound is broken in an interval
}

// Expected is what the settings in force are expected to give.
type Expected struct {
	Carried  float64  `json:"carried"`      // requests/s of the service
	Broken   float64  `json:"broken_ratio"` // chance that its bound is broken
	Replicas *float64 `json:"replicas"`
}

// quantile of the normal distribution for an interval of 90 %.
const quantile = 1.645

// ErrNoBound says that nothing is promised of the service's latency.
var ErrNoBound = errors.New("the service has no latency objective")

// candidate is an action with what is expected of it.
type candidate struct {
	value, carried, all, replicas float64
	broken                        []float64 // by service
}

// Frontier returns a point for each of Targets, and whether the load lies within the data.
// Other services keep their budgets as the rules have them.
func Frontier(q Question) (points []Point, inside bool, err error) {
	if math.IsInf(q.Goal.Bound[q.Service], 1) {
		return nil, false, ErrNoBound
	}
	w, err := newWeigher(q)
	if err != nil {
		return nil, false, err
	}
	all := make([]candidate, len(w.choices.Grid))
	for i := range all {
		all[i] = w.weigh(w.choices.Grid[i], i)
	}
	scaled := slices.ContainsFunc(q.Table.Knobs, func(k policy.Knob) bool { return k.Kind == policy.Replicas })
	for _, target := range Targets {
		p := Point{Target: target}
		if c := w.best(all, target, 0); c != nil {
			p.Carried, p.All, p.Broken = &c.carried, &c.all, &c.broken[q.Service]
			if scaled {
				p.Replicas = &c.replicas
			}
		}
		if c := w.best(all, target, quantile); c != nil {
			p.Low = &c.all
		}
		if c := w.best(all, target, -quantile); c != nil {
			p.High = &c.all
		}
		points = append(points, p)
	}
	return points, w.inside, nil
}

// Live is what an action of the table's knobs is expected to give, by the action of the grid
// that is next to it.
func Live(q Question, live policy.Action) (Expected, error) {
	w, err := newWeigher(q)
	if err != nil {
		return Expected{}, err
	}
	nearest, least := -1, math.Inf(1)
	for i, a := range w.choices.Grid {
		if d := distance(q.Table.Knobs, a, live); d < least {
			nearest, least = i, d
		}
	}
	if nearest < 0 {
		return Expected{}, errors.New("the settings in force are not those of the model")
	}
	c := w.weigh(w.choices.Grid[nearest], nearest)
	out := Expected{Carried: c.carried, Broken: c.broken[q.Service]}
	if slices.ContainsFunc(q.Table.Knobs, func(k policy.Knob) bool { return k.Kind == policy.Replicas }) {
		out.Replicas = &c.replicas
	}
	return out, nil
}

// distance is in ranges of the knobs; infinite where one is not set.
func distance(knobs []policy.Knob, a, live policy.Action) float64 {
	sum := 0.0
	for i, k := range knobs {
		v, ok := live.Get(k.KnobID)
		if !ok {
			return math.Inf(1)
		}
		if k.Max > k.Min {
			sum += math.Abs(a[i].Value-v) / (k.Max - k.Min)
		}
	}
	return sum
}

// weigher evaluates actions at one load.
type weigher struct {
	Question
	choices *train.Choices
	tails   []margin.Tail
	terms   policy.Terms
	corners []model.Corner
	inside  bool
	latency []float64
}

func newWeigher(q Question) (*weigher, error) {
	w := &weigher{Question: q, tails: q.Table.Tails(), latency: make([]float64, len(q.Offered))}
	for s := range w.tails {
		if !math.IsInf(q.Goal.Bound[s], 1) && !w.tails[s].Known() {
			return nil, fmt.Errorf("the model does not say how far it is off for service %s; train it again", q.Table.Services[s])
		}
	}
	var err error
	if w.choices, err = train.NewChoices(q.Table); err != nil {
		return nil, err
	}
	w.terms = policy.NewTerms(q.Table.Knobs, q.Goal.Services)
	w.corners, w.inside = q.Table.Corners(nil, q.Offered, len(w.choices.Grid))
	return w, nil
}

func (w *weigher) weigh(a policy.Action, i int) candidate {
	w.choices.Table.Predict(w.latency, w.corners, i)
	c := candidate{value: w.Goal.Value(w.Offered, w.choices.Admitted[i], w.choices.Cost[i]), broken: make([]float64, len(w.Offered))}
	for s, share := range w.choices.Admitted[i] {
		c.all += w.Offered[s] * share
		if bound := w.Goal.Bound[s]; !math.IsInf(bound, 1) {
			c.broken[s] = w.tails[s].Breaks(w.latency[s]*w.correction(s, a), bound)
		}
	}
	c.carried = w.Offered[w.Service] * w.choices.Admitted[i][w.Service]
	for k, knob := range w.Table.Knobs {
		if knob.Kind == policy.Replicas {
			c.replicas += a[k].Value
		}
	}
	return c
}

// correction is the factor that the host has learned on the model's prediction.
func (w *weigher) correction(s int, a policy.Action) float64 {
	if s >= len(w.Services) {
		return 1
	}
	for _, o := range w.Services[s].Objectives {
		if o.Signal == w.Goal.Signals[s] && len(o.Correction) > 0 {
			return margin.Factor(&w.terms, o.Correction, w.Offered, a)
		}
	}
	return 1
}

// best is the action worth most that keeps the target, and the other services' budgets, with
// chances of a violation that are z of their standard errors above what is expected.
func (w *weigher) best(all []candidate, target, z float64) *candidate {
	var best *candidate
	for i := range all {
		c := &all[i]
		if best != nil && c.value <= best.value {
			continue
		}
		if w.keeps(c, target, z) {
			best = c
		}
	}
	return best
}

func (w *weigher) keeps(c *candidate, target, z float64) bool {
	for s, p := range c.broken {
		budget := w.Goal.Budget[s]
		if s == w.Service {
			budget = 1 - target
		}
		if wilson(p, float64(w.Configurations), z) > budget+1e-12 {
			return false
		}
	}
	return true
}

// wilson is an end of the interval of a share that was seen in n samples, z standard errors
// away from its middle (Wilson 1927); z 0: the share.
func wilson(p, n, z float64) float64 {
	if z == 0 || n < 1 || p == 0 && z < 0 {
		return p
	}
	z2 := z * z
	half := math.Abs(z) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	if z < 0 {
		half = -half
	}
	return math.Max(0, (p+z2/(2*n)+half)/(1+z2/n))
}
