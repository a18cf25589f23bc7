package eval

import (
	"cmp"
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
			return g.Reward(latency, offered[from], c.Admitted[action], c.Cost[action])
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

	sample    []sampled
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
	plan, best := make([]int, len(s.offered)), 0
	eachLoad(c, s.offered, func(from, to int, corners []model.Corner) {
		best = o.choose(s.offered[from], corners, best)
		for t := from; t < to; t++ {
			plan[t] = best
		}
	})
	return plan
}

// choose is the action worth most after prices. The first guess saves work: prices
// only take away, so an action of less value needs no second look.
func (o *oracle) choose(offered []float64, corners []model.Corner, guess int) int {
	latency := make([]float64, len(o.price))
	score := func(action int, v float64) float64 {
		o.choices.Table.Predict(latency, corners, action)
		for s, l := range latency {
			v -= o.price[s] * o.tails[s].Above(l, o.goal.Bound[s])
		}
		return v
	}
	value := func(action int) float64 {
		return o.goal.Value(offered, o.choices.Admitted[action], o.choices.Cost[action])
	}
	best, most := guess, score(guess, value(guess))
	for i := range o.choices.Grid {
		if v := value(i); v > most {
			if v = score(i, v); v > most {
				best, most = i, v
			}
		}
	}
	return best
}

// prospect is what an action means at one load.
type prospect struct {
	value  float64
	broken []float64 // by service: chance to be above the bound
}

// sampled are the prospects at one load, less those that no prices could make best:
// another is worth as much and breaks no bound more often. The most valuable is first.
type sampled struct {
	weight    float64 // intervals
	prospects []prospect
}

func (o *oracle) lookUp(offered []float64, corners []model.Corner, weight float64) sampled {
	n := len(o.goal.Services)
	all, flat := make([]prospect, len(o.choices.Grid)), make([]float64, n*len(o.choices.Grid))
	o.choices.Best(corners, func(action int, latency []float64) float64 {
		broken := flat[action*n : (action+1)*n]
		for s, l := range latency {
			broken[s] = o.tails[s].Above(l, o.goal.Bound[s])
		}
		all[action] = prospect{o.goal.Value(offered, o.choices.Admitted[action], o.choices.Cost[action]), broken}
		return 0
	})
	return sampledOf(all, weight)
}

// sampledOf drops what no prices could make best. It sorts the prospects.
func sampledOf(all []prospect, weight float64) sampled {
	slices.SortStableFunc(all, func(a, b prospect) int { return cmp.Compare(b.value, a.value) })
	out := sampled{weight: weight}
	for _, p := range all {
		if !slices.ContainsFunc(out.prospects, func(q prospect) bool { return q.covers(p) }) {
			out.prospects = append(out.prospects, p)
		}
	}
	return out
}

// covers reports whether p breaks no bound more often than other.
func (p prospect) covers(other prospect) bool {
	for s, v := range p.broken {
		if v > other.broken[s] {
			return false
		}
	}
	return true
}

// best is the prospect worth most after prices.
func (o *oracle) best(at sampled) prospect {
	var best prospect
	most := math.Inf(-1)
	for _, p := range at.prospects {
		v := p.value
		if v <= most {
			break
		}
		for s, price := range o.price {
			v -= price * p.broken[s]
		}
		if v > most {
			best, most = p, v
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
			o.sample = append(o.sample, o.lookUp(offered[from], corners, float64(to-from)))
			most = math.Max(most, o.sample[len(o.sample)-1].prospects[0].value)
		}
	})
	most = math.Max(most, 1e-9) // costs may leave nothing
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
	value, weight := 0.0, 0.0
	broken := make([]float64, len(o.price))
	for _, at := range o.sample {
		best := o.best(at)
		value += at.weight * best.value
		weight += at.weight
		for s, v := range best.broken {
			broken[s] += at.weight * v
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
