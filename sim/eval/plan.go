package eval

import (
	"math"
	"slices"

	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// eachLoad calls f once for every stretch of equal loads, with the table's corners
// around them. offered is [interval][service].
func eachLoad(c *train.Choices, offered [][]float64, f func(from, to int, corners []model.Corner)) {
	var corners []model.Corner
	for from := 0; from < len(offered); {
		to := from + 1
		for to < len(offered) && slices.Equal(offered[to], offered[from]) {
			to++
		}
		corners, _ = c.Table.Corners(corners, offered[from], len(c.Grid))
		f(from, to, corners)
		from = to
	}
}

// rewardPlan is, by interval, the action with the greatest reward on a table's mean.
func rewardPlan(g *train.Goal, c *train.Choices, offered [][]float64) []int {
	plan := make([]int, len(offered))
	eachLoad(c, offered, func(from, to int, corners []model.Corner) {
		best, _ := c.Best(corners, func(action int, latency []float64) float64 {
			return g.Reward(latency, offered[from], c.Admitted[action])
		})
		for t := from; t < to; t++ {
			plan[t] = best
		}
	})
	return plan
}

// Constants of the search for prices.
const (
	priceLoads  = 250  // loads of a run at which the prices are sought
	priceRounds = 3    // over all services, and as many that only raise
	priceSteps  = 14   // bisections of one price
	priceFactor = 1e-3 // the least price, of the value of all load
)

// oracle is the optimum under error budgets: it knows the truth and the distribution
// of the run's noise, though not what comes next. It takes, in each interval, the
// action worth most after a price for each service's chance to be above its bound,
// with the least prices under which every budget is kept over the run as a whole.
type oracle struct {
	goal    *train.Goal
	choices *train.Choices
	tails   []train.Tail
	price   []float64 // by service

	sample    []*prospect
	kept      []float64 // the prices worth most among those that keep every budget; nil: none did
	keptValue float64
}

// budgetPlan is the oracle's action by interval.
func budgetPlan(g *train.Goal, c *train.Choices, s series) []int {
	o := &oracle{goal: g, choices: c, price: make([]float64, len(g.Services))}
	for j := range g.Services {
		residuals := make([]float64, len(s.noise))
		for t, r := range s.noise {
			residuals[t] = r[j]
		}
		o.tails = append(o.tails, train.NewTail(residuals))
	}
	o.seek(s.offered)
	plan := make([]int, len(s.offered))
	eachLoad(c, s.offered, func(from, to int, corners []model.Corner) {
		best := o.best(o.lookUp(s.offered[from], corners, 1))
		for t := from; t < to; t++ {
			plan[t] = best
		}
	})
	return plan
}

// prospect is what every action means at one load.
type prospect struct {
	weight float64   // intervals
	value  []float64 // by action
	broken []float64 // [action][service]: chance to be above the bound
}

func (o *oracle) lookUp(offered []float64, corners []model.Corner, weight float64) *prospect {
	n := len(o.goal.Services)
	p := &prospect{weight: weight, value: make([]float64, len(o.choices.Grid)), broken: make([]float64, n*len(o.choices.Grid))}
	o.choices.Best(corners, func(action int, latency []float64) float64 {
		p.value[action] = o.goal.Value(offered, o.choices.Admitted[action], o.choices.Cost[action])
		for s, l := range latency {
			p.broken[action*n+s] = o.tails[s].Above(l, o.goal.Bound[s])
		}
		return 0
	})
	return p
}

// best is the action worth most after prices.
func (o *oracle) best(p *prospect) int {
	n, best, most := len(o.price), 0, math.Inf(-1)
	for i, v := range p.value {
		if v <= most {
			continue // prices only take away
		}
		for s, price := range o.price {
			v -= price * p.broken[i*n+s]
		}
		if v > most {
			best, most = i, v
		}
	}
	return best
}

// seek finds the prices on a sample of the loads, one service after the other: what
// one service's price does to another is met in the next round. Of all prices that
// were tried and keep every budget, those that are worth most stay.
func (o *oracle) seek(offered [][]float64) {
	most := 0.0
	every := 1
	if len(offered) > priceLoads && !slices.Equal(offered[0], offered[1]) {
		every = len(offered) / priceLoads
	}
	eachLoad(o.choices, offered, func(from, to int, corners []model.Corner) {
		if from%every == 0 {
			p := o.lookUp(offered[from], corners, float64(to-from))
			o.sample = append(o.sample, p)
			most = math.Max(most, slices.Max(p.value))
		}
	})
	lowest, highest := math.Log(priceFactor*most), math.Log(1e6*most)
	for round := range 2 * priceRounds {
		settled := true
		for s := range o.price {
			before := o.price[s]
			if round < priceRounds {
				o.price[s] = 0
			}
			if o.keeps(s) {
				continue
			}
			settled = false
			low, high := lowest, highest
			if round >= priceRounds && before > 0 {
				low = math.Log(before) // the last rounds only raise, so that they come to an end
			}
			for range priceSteps {
				mid := (low + high) / 2
				if o.price[s] = math.Exp(mid); o.keeps(s) {
					high = mid
				} else {
					low = mid
				}
			}
			o.price[s] = math.Exp(high)
			o.keeps(s)
		}
		if settled {
			break
		}
	}
	if o.kept != nil {
		o.price = o.kept
	}
}

// keeps reports whether the present prices keep a service's budget over the sample.
func (o *oracle) keeps(service int) bool {
	n, value, weight := len(o.price), 0.0, 0.0
	broken := make([]float64, n)
	for _, p := range o.sample {
		best := o.best(p)
		value += p.weight * p.value[best]
		weight += p.weight
		for s := range broken {
			broken[s] += p.weight * p.broken[best*n+s]
		}
	}
	all := true
	for s, v := range broken {
		all = all && v <= o.goal.Budget[s]*weight
	}
	if all && (o.kept == nil || value > o.keptValue) {
		o.kept, o.keptValue = slices.Clone(o.price), value
	}
	return broken[service] <= o.goal.Budget[service]*weight
}
