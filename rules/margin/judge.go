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
	Scales  []Scale // by service, of the errors of what is predicted; nil: 1
	Tails   []Tail  // by service; nil: nothing can be priced
	Pricing Pricing

	offered []float64
	items   []item
}

// item is one objective. A corrected prediction times factor is in bounds up to 1.
type item struct {
	service      int
	coefficients []float64
	factor       float64 // with the residual that is expected
	margin       float64
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
			it := item{service: s, coefficients: obj.Correction, factor: (1 + obj.Residual) / obj.Bound, margin: obj.Margin}
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
			corrected := latency * j.correct(it, a)
			risk = math.Max(risk, j.broken(it, corrected, j.scale(service, corrected)))
		}
	}
	return risk
}

// Scale is that of the errors of a prediction (uncorrected) for an action of a service.
func (j *Judge) Scale(service int, latency float64, a policy.Action) float64 {
	for _, it := range j.items {
		if it.service == service {
			return j.scale(service, latency*j.correct(it, a))
		}
	}
	return 1
}

func (j *Judge) scale(service int, corrected float64) float64 {
	if service >= len(j.Scales) {
		return 1
	}
	return j.Scales[service].Of(corrected)
}

// broken is the chance that a corrected prediction with errors of a scale breaks an objective.
func (j *Judge) broken(it item, corrected, scale float64) float64 {
	return j.Tails[it.service].Above((1/(corrected*it.factor) - 1) / scale)
}

// under is the ratio of a corrected prediction under the margin to the bound.
func (it *item) under(corrected, scale float64) float64 {
	return corrected * it.factor * Allow(it.margin, scale)
}

// Limit is how great a prediction (uncorrected) for an action may be to be in bounds under
// the margin, for the objective of a service that is broken most easily; infinite without one.
func (j *Judge) Limit(service int, a policy.Action) float64 {
	limit := math.Inf(1)
	for i := range j.items {
		if it := &j.items[i]; it.service == service {
			limit = math.Min(limit, j.limit(it)/j.correct(*it, a))
		}
	}
	return limit
}

// limit is the greatest corrected prediction that is in bounds, by bisection: the scale rises
// with the prediction, so that both ends are known.
func (j *Judge) limit(it *item) float64 {
	low := 1 / (it.factor * Allow(it.margin, j.scale(it.service, math.Inf(1))))
	high := 1 / (it.factor * Allow(it.margin, j.scale(it.service, 0)))
	for range 50 {
		middle := (low + high) / 2
		if it.under(middle, j.scale(it.service, middle)) > 1 {
			high = middle
		} else {
			low = middle
		}
	}
	return low
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
	return Factor(&j.Terms, it.coefficients, j.offered, a)
}

// Weigh returns what the predictions (uncorrected, by service) of an action cost, and
// the largest ratio of one under its margin to its bound.
func (j *Judge) Weigh(latency []float64, a policy.Action) (cost, excess float64) {
	for i := range j.items {
		it := &j.items[i]
		corrected := latency[it.service]
		if len(it.coefficients) > 0 {
			corrected *= j.correct(*it, a)
		}
		scale := j.scale(it.service, corrected)
		under := it.under(corrected, scale)
		excess = math.Max(excess, under)
		switch {
		case it.price > 0:
			cost += it.price * j.broken(*it, corrected, scale)
		case under > 1:
			cost = math.Inf(1)
		}
	}
	return cost, excess
}

// WeighAt is Weigh for predictions at other offered loads than those of Begin.
func (j *Judge) WeighAt(offered, latency []float64, a policy.Action) (cost, excess float64) {
	begun := j.offered
	j.offered = offered
	cost, excess = j.Weigh(latency, a)
	j.offered = begun
	return cost, excess
}

// Above calls f with each service that has an objective above its bound, under its margin.
func (j *Judge) Above(latency []float64, a policy.Action, f func(service int)) {
	for _, it := range j.items {
		corrected := latency[it.service] * j.correct(it, a)
		if it.under(corrected, j.scale(it.service, corrected)) > 1 {
			f(it.service)
		}
	}
}
