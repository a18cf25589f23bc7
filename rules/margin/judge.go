package margin

import (
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// Pricing says which objectives a Judge prices, of those that have a price and a tail.
type Pricing int

const (
	// PriceNone keeps every objective under its margin.
	PriceNone Pricing = iota
	// PriceCalibrated prices those whose risks are calibrated: a price multiplies a wrong
	// chance and cannot repair it, where a margin moves the prediction itself.
	PriceCalibrated
	// PriceAll prices them whatever the risks are worth.
	PriceAll
)

// Judge holds predictions against the objectives of an observation: what a policy
// that plans subtracts from the value of an action. It keeps an objective under its
// margin (an action that is predicted above the bound costs everything), or prices it
// (an action costs the price times the chance of a violation): the first is the second
// with an infinite price and a chance of 0 or 1. The zero value is ready for Begin; a
// Judge is for one goroutine and allocates only as it grows.
type Judge struct {
	Terms   policy.Terms
	Tails   []Tail // by service; nil: nothing can be priced
	Pricing Pricing

	offered []float64
	items   []item
}

// item is one objective. A corrected prediction times factor is in bounds.
type item struct {
	service      int
	coefficients []float64
	factor       float64 // with the residual that is expected
	margin       float64 // 1 + margin
	price        float64 // 0: under its margin
}

// Begin reads an observation. signals names, by service, what the policy predicts;
// offered is the load by service, kept until the next Begin; live is what the policy
// predicts for the live action at that load, uncorrected; nil: it cannot.
func (j *Judge) Begin(o *policy.Observation, signals []string, offered, live []float64) {
	j.offered, j.items = offered, j.items[:0]
	for s := range o.Services {
		for i := range o.Services[s].Objectives {
			obj := &o.Services[s].Objectives[i]
			if obj.Kind != policy.LatencyObjective || obj.Signal != signals[s] {
				continue
			}
			it := item{service: s, coefficients: obj.Correction, factor: (1 + obj.Residual) / obj.Bound, margin: 1 + obj.Margin}
			if j.known(s) && (j.Pricing == PriceAll || j.Pricing == PriceCalibrated && obj.Calibrated) {
				it.price = obj.Price
			}
			if obj.Lag != 0 && live != nil {
				it.factor *= 1 + obj.Lag*j.residual(o, obj, s, it, live[s])
			}
			j.items = append(j.items, it)
		}
	}
}

// known reports whether the chances of a service's violations are.
func (j *Judge) known(service int) bool { return service < len(j.Tails) && j.Tails[service].Known() }

// Prices reports whether the observation has an objective that is priced.
func (j *Judge) Prices() bool {
	return slices.ContainsFunc(j.items, func(it item) bool { return it.price > 0 })
}

// Risk is the chance that an action whose latency is predicted (uncorrected) breaks an
// objective of a service, the one that is broken most easily; 0 where nothing is known.
func (j *Judge) Risk(service int, latency float64, a policy.Action) float64 {
	risk := 0.0
	for _, it := range j.items {
		if it.service == service && j.known(service) {
			risk = math.Max(risk, j.Tails[service].Above(1/(latency*it.factor*j.correct(it, a))-1))
		}
	}
	return risk
}

// residual is that of the interval just measured.
func (j *Judge) residual(o *policy.Observation, obj *policy.Objective, service int, it item, live float64) float64 {
	measured, ok := o.State.Find(o.Services[service].Name, obj.Signal).Get()
	expected := live * j.correct(it, o.Live)
	if !ok || !(expected > 0) {
		return 0
	}
	return tame(measured/expected - 1)
}

func (j *Judge) correct(it item, a policy.Action) float64 {
	if len(it.coefficients) == 0 {
		return 1
	}
	return math.Exp(ClipLog(j.Terms.Dot(it.coefficients, j.offered, a)))
}

// Weigh returns what the predictions (uncorrected, by service) of an action cost, and
// the largest ratio of one under its margin to its bound.
func (j *Judge) Weigh(latency []float64, a policy.Action) (cost, excess float64) {
	for i := range j.items {
		it := &j.items[i]
		ratio := latency[it.service] * it.factor
		if len(it.coefficients) > 0 {
			ratio *= j.correct(*it, a)
		}
		under := ratio * it.margin
		excess = math.Max(excess, under)
		switch {
		case it.price > 0:
			cost += it.price * j.Tails[it.service].Above(1/ratio-1)
		case under > 1:
			cost = math.Inf(1)
		}
	}
	return cost, excess
}

// Above calls f with each service that has an objective above its bound, under its margin.
func (j *Judge) Above(latency []float64, a policy.Action, f func(service int)) {
	for _, it := range j.items {
		if latency[it.service]*it.factor*j.correct(it, a)*it.margin > 1 {
			f(it.service)
		}
	}
}
