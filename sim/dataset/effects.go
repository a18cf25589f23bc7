package dataset

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// Verdict says whether the effect of a knob can be told from the data.
type Verdict string

// The verdicts.
const (
	Identifiable    Verdict = "identifiable"
	Weak            Verdict = "weak" // it moved a few times only
	NotIdentifiable Verdict = "not_identifiable"
)

// Effect says how well the data tell what a knob does. Of the weights of a target the last one
// is left out: it follows from the others.
type Effect struct {
	Knob    string  `json:"knob"`
	Levels  int     `json:"levels"`  // distinct values
	Changes int     `json:"changes"` // from row to row
	Own     float64 `json:"own"`     // share of its variance that other knobs and loads do not explain, 1/VIF
	With    string  `json:"with"`    // the column that it moved most together with; empty: none
	R       float64 `json:"correlation"`
	Verdict Verdict `json:"verdict"`
	Advice  string  `json:"advice,omitempty"` // what it means, and what to do
}

const (
	// leastOwn is a variance inflation factor of 10, the customary limit (Marquardt, Generalized
	// inverses, ridge regression, biased linear estimation, and nonlinear estimation,
	// Technometrics 12, 1970).
	leastOwn = .1
	// fewChanges are explained by whatever else happened at these times.
	fewChanges = 5
)

// Coverage says under which loads of a service there are rows.
type Coverage struct {
	Service  string  `json:"service"`
	Low      float64 `json:"p05"` // requests/s
	Median   float64 `json:"p50"`
	High     float64 `json:"p95"`
	Tenths   int     `json:"tenths"`   // of the range from the least to the most offered: how many of the ten have rows
	Compared int     `json:"compared"` // and how many have rows of more than one configuration
}

// effects judges each knob, and residuals each service's latencies.
func (d *Dataset) effects() (effects []Effect, effective []Effective) {
	names, _ := d.columns()
	columns := slices.Concat(d.Settings, d.Offered, d.Latency)
	loads := len(d.Knobs) + len(d.Services) // columns of knobs and loads
	c := correlate(columns)
	var explaining []int
	for i := range loads {
		explaining = append(explaining, i)
	}
	for k, id := range d.Knobs {
		if id.Kind == policy.Weight && (k+1 == len(d.Knobs) || d.Knobs[k+1].Kind != policy.Weight || d.Knobs[k+1].Target != id.Target) {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(explaining), func(i int) bool {
			return i == k || i < len(d.Knobs) && d.Knobs[i].Kind == policy.Weight && id.Kind == policy.Weight && d.Knobs[i].Target == id.Target
		})
		e := Effect{Knob: names[k], Levels: rangeOf("", d.Settings[k]).Distinct, Changes: changes(d.Settings[k])}
		_, e.Own = c.regress(k, others)
		for _, i := range others {
			if r := c.coefficient[k][i]; math.Abs(r) > math.Abs(e.R) {
				e.R, e.With = r, d.called(i)
			}
		}
		e.judge()
		effects = append(effects, e)
	}
	for s, name := range d.Services {
		e := effectiveOf(name, c.residuals(loads+s, explaining))
		e.Wanted = float64(rowsPerColumn * (len(effects) + len(d.Services)))
		effective = append(effective, e)
	}
	return effects, effective
}

// called is what a column of knobs and loads is to a reader.
func (d *Dataset) called(i int) string {
	if i < len(d.Knobs) {
		return d.Knobs[i].String()
	}
	return "the load of " + d.Services[i-len(d.Knobs)]
}

// judge fills in the verdict.
func (e *Effect) judge() {
	const apart = "have `explore` move it by itself, or change it at other times and loads"
	switch {
	case e.Levels < 2:
		e.Own, e.Verdict = 0, NotIdentifiable // that it never moved is said of all knobs
	case e.Own < leastOwn && math.Abs(e.R) >= .9:
		e.Verdict = NotIdentifiable
		e.Advice = fmt.Sprintf("%s moved only together with %s (correlation %.2f), so that nobody can tell which of them has which effect: %s", e.Knob, e.With, e.R, apart)
	case e.Own < leastOwn:
		e.Verdict = NotIdentifiable
		e.Advice = fmt.Sprintf("%s moved only as other knobs and loads did together (they explain %.0f %% of it): %s", e.Knob, 100*(1-e.Own), apart)
	case e.Changes < fewChanges:
		e.Verdict = Weak
		e.Advice = fmt.Sprintf("%s was changed %s, and whatever else was different before and after looks like its effect: %s", e.Knob, times(e.Changes), apart)
	default:
		e.Verdict = Identifiable
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times only", n)
}

func changes(column []float64) (n int) {
	for i := 1; i < len(column); i++ {
		if math.Abs(column[i]-column[i-1]) > 1e-9 {
			n++
		}
	}
	return n
}

// coverage tells under which loads the rows are; config is the configuration of each.
func (d *Dataset) coverage(config []int) (out []Coverage) {
	for s, name := range d.Services {
		c := Coverage{Service: name}
		known := slices.DeleteFunc(slices.Clone(d.Offered[s]), math.IsNaN)
		slices.Sort(known)
		if n := len(known); n > 0 {
			at := func(q float64) float64 { return known[int(q*float64(n-1))] }
			c.Low, c.Median, c.High = at(.05), at(.5), at(.95)
			c.Tenths, c.Compared = tenths(d.Offered[s], config, known[0], known[n-1])
		}
		out = append(out, c)
	}
	return out
}

func tenths(offered []float64, config []int, low, high float64) (filled, compared int) {
	first := [10]int{} // configuration of its first row, from 1
	several := [10]bool{}
	for row, v := range offered {
		if math.IsNaN(v) {
			continue
		}
		i := 0
		if high > low {
			i = min(9, int(10*(v-low)/(high-low)))
		}
		if first[i] == 0 {
			first[i] = 1 + config[row]
		}
		several[i] = several[i] || first[i] != 1+config[row]
	}
	for i := range first {
		if first[i] > 0 {
			filled++
		}
		if several[i] {
			compared++
		}
	}
	return filled, compared
}
