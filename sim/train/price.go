package train

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// Constants of the search for the first prices.
const (
	priceLoads = 64   // random loads within the data
	priceSteps = 2000 // of the recursion; the mean over the second half is the price
	priceRange = 1e3  // of a price, about a tenth of the value of all load
	priceCells = 1e5  // predictions of a search: large grids get fewer loads
	mostCovers = 64   // options that each other one is held against
)

// option is an action at one load: its value, and by service the chance of a violation.
type option struct {
	value  float64
	broken []float64
}

// Prices are, by service, what a violation has to cost for the model to keep each
// budget, by the recursion that the price follows online (dual ascent on its
// logarithm), fed with the model's own chance of a violation at random loads. A
// service without a bound, or whose residuals are not known, has none.
func Prices(g *Goal, table *model.Table, seed uint64) ([]float64, error) {
	tails := table.Tails()
	c, err := NewChoices(table)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, streamPrices))
	n := len(g.Services)
	offered, most := make([]float64, n), 0.0
	var corners []model.Corner
	at := make([][]option, max(8, min(priceLoads, int(priceCells)/len(c.Grid))))
	for i := range at {
		for s, l := range table.Loads {
			offered[s] = l[0] + (l[len(l)-1]-l[0])*rng.Float64()
		}
		corners, _ = table.Corners(corners, offered, len(c.Grid))
		at[i] = options(g, c, tails, offered, corners)
		most = math.Max(most, at[i][0].value)
	}
	middle := math.Log(math.Max(most, 1e-9) / 10)
	limit, ascent := math.Log(priceRange), margin.Defaults().Ascent
	log, sum := slices.Repeat([]float64{middle}, n), make([]float64, n)
	price, out := make([]float64, n), make([]float64, n)
	for step := range priceSteps {
		for s := range price {
			price[s] = math.Exp(log[s])
		}
		chosen := cheapest(at[rng.IntN(len(at))], price)
		for s := range log {
			log[s] += ascent * (chosen.broken[s] - g.Budget[s])
			log[s] = math.Max(middle-limit, math.Min(middle+limit, log[s]))
			if step >= priceSteps/2 {
				sum[s] += log[s] / (priceSteps - priceSteps/2)
			}
		}
	}
	for s := range out {
		if !math.IsInf(g.Bound[s], 1) && tails[s].Known() {
			out[s] = math.Exp(sum[s])
		}
	}
	return out, nil
}

const streamPrices = 11

// options are the actions at one load that some prices could make best, the most
// valuable first: no other is worth as much and breaks no bound more often.
func options(g *Goal, c *Choices, tails []margin.Tail, offered []float64, corners []model.Corner) []option {
	n := len(offered)
	all, flat := make([]option, len(c.Grid)), make([]float64, n*len(c.Grid))
	latency := make([]float64, n)
	for i := range c.Grid {
		c.Table.Predict(latency, corners, i)
		broken := flat[i*n : (i+1)*n]
		for s, l := range latency {
			if !math.IsInf(g.Bound[s], 1) {
				broken[s] = tails[s].Breaks(l, g.Bound[s])
			}
		}
		all[i] = option{g.Value(offered, c.Admitted[i], c.Cost[i]), broken}
	}
	slices.SortStableFunc(all, func(a, b option) int { return cmp.Compare(b.value, a.value) })
	var out []option
	for _, o := range all {
		if !slices.ContainsFunc(out[:min(len(out), mostCovers)], func(p option) bool { return p.covers(o) }) {
			out = append(out, o)
		}
	}
	return out
}

// covers reports whether o breaks no bound more often than other.
func (o option) covers(other option) bool {
	for s, v := range o.broken {
		if v > other.broken[s] {
			return false
		}
	}
	return true
}

// cheapest is the option worth most after prices.
func cheapest(options []option, price []float64) option {
	var best option
	most := math.Inf(-1)
	for _, o := range options {
		v := o.value
		if v <= most {
			break
		}
		for s, p := range price {
			v -= p * o.broken[s]
		}
		if v > most {
			best, most = o, v
		}
	}
	return best
}
