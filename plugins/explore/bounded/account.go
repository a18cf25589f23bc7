package bounded

import "math"

// Spent is what exploring has cost one objective beyond what the baseline would have.
type Spent struct {
	Service  string  `json:"service"`
	Signal   string  `json:"signal"`
	Violated float64 `json:"violated"` // sum of the errors of the intervals away from the baseline
	Baseline float64 `json:"baseline"` // what the baseline is expected to have summed up to in them
	Unsure   float64 `json:"unsure"`   // standard deviation of Baseline, all that is wrong being wrong in one direction
}

// Extra are the violations that the baseline would not have had, as far as is known.
func (s Spent) Extra() float64 { return s.Violated - s.Baseline }

// Most is Extra where the baseline is better than is thought by as much as is likely. It is
// held against the allowance.
func (s Spent) Most() float64 { return s.Extra() + likely*s.Unsure }

// Least is Extra where the baseline is worse by as much.
func (s Spent) Least() float64 { return s.Extra() - likely*s.Unsure }

const likely = 1.5 // standard deviations: 93 % on one side

// Constants of the counterfactual.
const (
	comparable = .08 // of the largest load of a service: loads that are so far apart count as 61 % the same
	leastWorth = .5  // intervals at the baseline that the regression's word is worth at least
	mostWorth  = 20. // and at most
)

// counterfactual says what the baseline would have.
type counterfactual struct {
	model    *model
	baseline []float64
	rows     []Row     // at the baseline
	most     []float64 // by service: load of all rows
}

func newCounterfactual(m *model, baseline []float64, rows []Row) *counterfactual {
	c := &counterfactual{model: m, baseline: baseline}
	for _, r := range rows {
		if r.Baseline {
			c.rows = append(c.rows, r)
		}
		if c.most == nil {
			c.most = make([]float64, len(r.Offered))
		}
		for i, v := range r.Offered {
			c.most[i] = math.Max(c.most[i], v)
		}
	}
	return c
}

// at writes the expected error of each objective at the baseline and a load, and its
// standard deviation: a beta distribution, of which the regression's word is the prior and
// each interval at the baseline counts as far as its load is comparable.
func (c *counterfactual) at(errors, spreads, offered []float64) {
	c.model.look(c.baseline, offered)
	bad, n := errors, spreads
	for k := range c.model.at {
		r := &c.model.at[k]
		mean, sd := r.ask()
		p := r.expected(mean, math.Hypot(r.noise, sd))
		d := (r.expected(mean+sd, r.noise) - r.expected(mean-sd, r.noise)) / 2
		n[k] = math.Max(leastWorth, math.Min(mostWorth, p*(1-p)/math.Max(d*d, 1e-9)-1))
		bad[k] = n[k] * p
	}
	for i := range c.rows {
		w := c.comparable(c.rows[i].Offered, offered)
		for k := range c.model.at {
			if e, ok := c.model.at[k].measured(c.rows[i].Signals[k]); ok {
				bad[k], n[k] = bad[k]+w*e, n[k]+w
			}
		}
	}
	for k := range errors {
		p, all := bad[k]/n[k], n[k]
		errors[k], spreads[k] = p, math.Sqrt(p*(1-p)/(all+1))
	}
}

// comparable is how far loads count as the same, 0 to 1.
func (c *counterfactual) comparable(a, b []float64) float64 {
	sum := 0.0
	for i, most := range c.most {
		if most > 0 {
			d := (a[i] - b[i]) / (comparable * most)
			sum += d * d
		}
	}
	return math.Exp(-sum / 2)
}

// account adds up what was spent.
func (c *counterfactual) account(rows []Row) []Spent {
	out := make([]Spent, len(c.model.at))
	for k := range out {
		out[k].Service, out[k].Signal = c.model.at[k].name, c.model.at[k].Signal
	}
	errors, spreads := make([]float64, len(out)), make([]float64, len(out))
	for i := range rows {
		if rows[i].Baseline {
			continue
		}
		c.at(errors, spreads, rows[i].Offered)
		for k := range out {
			if e, ok := c.model.at[k].measured(rows[i].Signals[k]); ok {
				out[k].Violated, out[k].Baseline, out[k].Unsure = out[k].Violated+e, out[k].Baseline+errors[k], out[k].Unsure+spreads[k]
			}
		}
	}
	return out
}
