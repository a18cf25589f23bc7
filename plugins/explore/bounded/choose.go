package bounded

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Choice is what a session wants in the next cycle.
type Choice struct {
	Action policy.Action
	Kind   Kind
	Reason string // for a person
	Spent  []Spent
	Over   bool // more was spent than was allowed, even where the baseline is worse than is thought
}

// Kind is what a choice is for.
type Kind string

// The kinds of choices.
const (
	Reference  Kind = "reference"  // the baseline, so that it is known what it would have
	Retreat    Kind = "retreat"    // the way back to what the allowance admits
	Protective Kind = "protective" // tried without loading any route more than the baseline, because nothing is left of the allowance
	Free       Kind = "free"       // tried
)

// Pick is how one of the actions is chosen that the allowance admits.
type Pick int

// The picks. Random is what Informed is measured beside.
const (
	Informed Pick = iota // where the regression is least sure, near the optimum
	Random
)

// Constants of the choice.
const (
	firstIntervals = 8   // at the baseline, before anything is tried
	visits         = .2  // share of the intervals that may be spent at the baseline because it is not known at the load
	unsure         = .2  // standard deviation of the baseline's error from which it is not known
	haste          = 2.  // times the even pace of spending that one interval may be expected to spend
	near           = .15 // of the value of all load: so much less than the best is near it
	overspent      = 5.  // violated intervals beyond the allowance that end an exploration
)

// Next chooses. It is an error if the session is of another mesh than the observation, or
// an offered load is not known.
func (s *Session) Next(o policy.Observation, p Pick) (Choice, error) {
	c, err := newChooser(s, o)
	if err != nil {
		return Choice{}, err
	}
	out := Choice{Spent: c.spent}
	for _, x := range c.spent {
		out.Over = out.Over || x.Least() > s.Allowance+overspent
	}
	if c.needsReference() {
		out.Kind, out.Action = Reference, guard.Limit(o, s.Baseline).Action
		out.Reason = "measures what there would be at this load without exploring"
		return out, nil
	}
	return out, c.choose(&out, p)
}

// chooser is one choice.
type chooser struct {
	*Session
	o       policy.Observation
	rng     *rand.Rand
	model   *model
	before  *counterfactual
	offered []float64
	spent   []Spent
	errors  []float64 // by objective: expected at the baseline and the present load
	spreads []float64

	worth    []float64 // by service: of its load
	blocking []int     // by knob: the service that it blocks, or -1
	near     float64   // of a value
}

func newChooser(s *Session, o policy.Observation) (*chooser, error) {
	if err := s.Fits(o); err != nil {
		return nil, err
	}
	c := &chooser{Session: s, o: o, rng: rand.New(rand.NewPCG(s.Seed, uint64(o.At.UnixNano())))}
	for _, x := range o.Services {
		v, ok := guard.Offered(o, x.Name)
		if !ok {
			return nil, fmt.Errorf("the offered load of %s is not known", x.Name)
		}
		c.offered = append(c.offered, v)
	}
	objectives := objectivesOf(o.Services)
	c.model = newModel(newFlows(o.Knobs, o.Services), s.Rows, objectives)
	c.before = newCounterfactual(c.model, s.Baseline.Values(), s.Rows)
	c.spent = c.before.account(s.Rows)
	c.errors, c.spreads = make([]float64, len(objectives)), make([]float64, len(objectives))
	c.before.at(c.errors, c.spreads, c.offered)
	c.value()
	return c, nil
}

// pace is what may be spent of an objective in each interval that is left.
func (c *chooser) pace(objective int) float64 {
	left := c.Allowance - c.spent[objective].Most()
	return math.Max(0, left) / math.Max(1, float64(c.Intervals-len(c.Rows)))
}

// protective reports whether nothing is left to spend of an objective.
func (c *chooser) protective() bool {
	for k := range c.spent {
		if c.pace(k) <= 0 {
			return true
		}
	}
	return false
}

// needsReference reports whether what the baseline would have is not known well enough.
func (c *chooser) needsReference() bool {
	if len(c.Rows) < firstIntervals {
		return true
	}
	for _, sd := range c.spreads {
		if sd > unsure && float64(len(c.before.rows)) < visits*float64(len(c.Rows)) {
			return true
		}
	}
	return false
}

// choose picks among the actions that the allowance admits.
func (c *chooser) choose(out *Choice, p Pick) error {
	all, err := candidates(c.o, c.rng)
	if err != nil {
		return err
	}
	out.Kind, out.Reason = Free, "tries a setting near the best whose effect is least known"
	if c.protective() {
		out.Kind, out.Reason = Protective, "tries a setting that loads no route more than without exploring: that nothing of the allowance is left cannot be ruled out"
	}
	var admitted []option
	least := option{over: math.Inf(1)}
	for _, a := range all {
		x := c.weigh(a)
		if out.Kind == Protective {
			x.over = x.excess
		}
		if x.excess <= tiny || x.over <= 0 {
			admitted = append(admitted, x)
		}
		if x.over < least.over {
			least = x
		}
	}
	switch {
	case len(admitted) == 0:
		out.Kind, out.Action, out.Reason = Retreat, least.action, "goes back to what the allowance admits"
	case p == Informed && c.clogged():
		out.Reason = "tries the setting nearest to the bounds, so that a queue drains which hides what settings do"
		out.Action = nearest(admitted).action
	case p == Random:
		out.Action = admitted[c.rng.IntN(len(admitted))].action
	default:
		out.Action = c.informed(admitted).action
	}
	return nil
}

// clogged reports whether the last interval began and ended with a queue of other settings: as
// long as a bound is broken, nothing is learned of those in force.
func (c *chooser) clogged() bool {
	last := c.Rows[len(c.Rows)-1]
	for k := range c.model.at {
		if e, ok := c.model.at[k].measured(last.Signals[k]); ok && e == 1 && last.Queue {
			return true
		}
	}
	return false
}

// nearest is the option that is furthest within the bounds, or least beyond them.
func nearest(options []option) option {
	out := options[0]
	for _, x := range options {
		if x.far < out.far {
			out = x
		}
	}
	return out
}

// option is an action with what is known of it.
type option struct {
	action policy.Action
	value  float64 // of the load that it admits
	excess float64 // share of services' loads that it sends over routes beyond what the baseline does
	over   float64 // largest expected error of an objective beyond what may be risked
	far    float64 // largest expected distance of a signal from its bound
	gain   float64 // what is learned by it: half of a unit is the information that halves a variance
	hope   bool    // it may be within every bound
}

func (c *chooser) weigh(a policy.Action) option {
	v := a.Values()
	x := option{action: a, over: math.Inf(-1), far: math.Inf(-1), hope: true}
	for _, r := range c.model.flows.routes {
		x.excess += math.Max(0, r.share(v)-r.share(c.before.baseline))
	}
	for _, w := range c.worth {
		x.value += w
	}
	for i, s := range c.blocking {
		if s >= 0 {
			x.value -= c.worth[s] * v[i]
		}
	}
	c.model.look(v, c.offered)
	for k := range c.model.at {
		r := &c.model.at[k]
		mean, sd := r.ask()
		x.over = math.Max(x.over, r.expected(mean, math.Hypot(r.noise, sd))-c.errors[k]-haste*c.pace(k))
		x.far = math.Max(x.far, mean)
		x.gain += math.Log1p(sd*sd/(r.noise*r.noise)) / 2
		x.hope = x.hope && mean <= sd
	}
	return x
}

// value fills in what the load of each service is worth, which knob blocks it, and how much
// less than the best is near it.
func (c *chooser) value() {
	all := 0.0
	c.worth, c.blocking = make([]float64, len(c.offered)), make([]int, len(c.o.Knobs))
	for s, offered := range c.offered {
		c.worth[s] = c.o.Services[s].Value * offered
		all += c.worth[s]
	}
	c.near = near * all
	for i, k := range c.o.Knobs {
		c.blocking[i] = -1
		if k.Kind != policy.Blocking {
			continue
		}
		for s := range c.o.Services {
			if c.o.Services[s].Name == k.Service {
				c.blocking[i] = s
				c.near = math.Max(c.near, c.worth[s]*(k.Value(1)-k.Min))
			}
		}
	}
}

// informed picks, of the options that may be within every bound and whose value is near the
// best of those that are expected to be, the one that tells most: the choice of a sequential
// D-optimal design. Where none is expected to be, it is the one nearest to its bounds.
func (c *chooser) informed(options []option) option {
	best := math.Inf(-1)
	for _, x := range options {
		if x.far <= 0 {
			best = math.Max(best, x.value)
		}
	}
	if math.IsInf(best, -1) {
		return nearest(options)
	}
	most := option{gain: -1}
	for _, x := range options {
		if x.hope && x.value >= best-c.near-tiny && x.gain > most.gain {
			most = x
		}
	}
	return most
}
