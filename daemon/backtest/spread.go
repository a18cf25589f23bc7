package backtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// spread is how wrong a model is on intervals that it has not seen: the logarithm of what was
// measured over what was predicted. How large such errors are depends on settings and loads -
// a version with few requests has a quantile of few, and near its limits a mesh is restless -
// so that a model of their size is fitted, too, and what is kept are errors in units of that
// (Lei et al., Distribution-free predictive inference for regression, 2018, section 5.2), apart
// for each level of the latency that was predicted, because near the limits they are to one side.
type spread struct {
	size     *model.System
	services []levels
	lasting  [][]float64 // [block][service]: mean of its errors less that of all
	ranks    [][]float64 // [interval][service], in the order of time: where its error stands among those of its level, 0 to 1; NaN: not measured
}

// levels are the errors of one service.
type levels struct {
	upTo   []float64   // by level: the largest predicted latency, seconds; the last one is +Inf
	errors [][]float64 // by level, ascending
}

const (
	mostLevels = 10
	leastErrs  = 60   // of a level
	leastSize  = 1e-4 // of an error, so that its logarithm is one
)

// newSpread holds the rows of a dataset against what was predicted for each by a model that had
// not seen it: [row][service], seconds.
func newSpread(d *dataset.Dataset, predicted [][]float64, fit func(*dataset.Dataset) (*model.System, error)) (*spread, error) {
	n := len(d.Services)
	sizes := *d
	sizes.Latency, sizes.Carried = make([][]float64, n), make([][]float64, n)
	for s := range n {
		for row := range d.Rows() {
			e := math.Abs(math.Log(d.Latency[s][row] / predicted[row][s]))
			sizes.Latency[s] = append(sizes.Latency[s], math.Max(e, leastSize)) // NaN stays
			sizes.Carried[s] = append(sizes.Carried[s], math.NaN())
		}
	}
	size, err := fit(&sizes)
	if err != nil {
		return nil, err
	}
	out := &spread{size: size, ranks: make([][]float64, d.Rows())}
	p := size.Predictor()
	settings, offered, unit := make([]float64, len(d.Knobs)), make([]float64, n), make([]float64, n)
	errs := make([][]float64, d.Rows())
	for row := range errs {
		at(settings, d.Settings, row)
		at(offered, d.Offered, row)
		p.Latency(unit, settings, offered)
		for s := range n {
			errs[row] = append(errs[row], math.Log(d.Latency[s][row]/predicted[row][s])/unit[s])
		}
		out.ranks[row] = make([]float64, n)
	}
	for s := range n {
		l := newLevels(len(errs), func(row int) (e, said float64) { return errs[row][s], predicted[row][s] })
		out.services = append(out.services, l)
		for row := range errs {
			out.ranks[row][s] = l.rank(errs[row][s], predicted[row][s])
		}
	}
	out.lasting = lasting(d, predicted)
	return out, nil
}

// lasting is, by block and service, what a model was wrong by over a whole block, as far as
// that is not so in all.
func lasting(d *dataset.Dataset, predicted [][]float64) [][]float64 {
	all := make([]sum, len(d.Services))
	blocks := make([][]sum, len(predicted)/blockRows)
	for b := range blocks {
		blocks[b] = make([]sum, len(d.Services))
		for row := b * blockRows; row < (b+1)*blockRows; row++ {
			for s := range all {
				if e := math.Log(d.Latency[s][row] / predicted[row][s]); !math.IsInf(e, 0) {
					all[s].add(e)
					blocks[b][s].add(e)
				}
			}
		}
	}
	var out [][]float64
	for _, b := range blocks {
		wrong := make([]float64, len(all))
		for s := range wrong {
			if v := b[s].mean() - all[s].mean(); !math.IsNaN(v) {
				wrong[s] = v
			}
		}
		out = append(out, wrong)
	}
	return out
}

// at writes one row of columns into out.
func at(out []float64, columns [][]float64, row int) {
	for i, c := range columns {
		out[i] = c[row]
	}
}

func newLevels(rows int, of func(row int) (e, said float64)) levels {
	type pair struct{ e, said float64 }
	var known []pair
	for row := range rows {
		if e, said := of(row); !math.IsNaN(e) && !math.IsInf(e, 0) {
			known = append(known, pair{e, said})
		}
	}
	slices.SortStableFunc(known, func(a, b pair) int {
		switch {
		case a.said < b.said:
			return -1
		case a.said > b.said:
			return 1
		}
		return 0
	})
	n := max(1, min(mostLevels, len(known)/leastErrs))
	l := levels{}
	for i := range n {
		var errs []float64
		edge := math.Inf(1)
		for _, p := range known[i*len(known)/n : (i+1)*len(known)/n] {
			errs, edge = append(errs, p.e), p.said
		}
		if i == n-1 {
			edge = math.Inf(1)
		}
		slices.Sort(errs)
		l.upTo, l.errors = append(l.upTo, edge), append(l.errors, errs)
	}
	return l
}

// at is the errors of the level of a prediction.
func (l levels) at(said float64) []float64 {
	i := sort.SearchFloat64s(l.upTo, said)
	return l.errors[min(i, len(l.errors)-1)]
}

// rank is where an error stands among those of its level; NaN: it is not known.
func (l levels) rank(e, said float64) float64 {
	all := l.at(said)
	if math.IsNaN(e) || math.IsInf(e, 0) || len(all) == 0 {
		return math.NaN()
	}
	low := sort.SearchFloat64s(all, e)
	high := low + sort.Search(len(all)-low, func(i int) bool { return all[low+i] > e })
	return float64(low+high) / 2 / float64(len(all))
}

// error is that of a rank where so much is predicted; NaN where none was measured.
func (l levels) error(said, rank float64) float64 {
	all := l.at(said)
	if len(all) == 0 {
		return math.NaN()
	}
	return all[min(len(all)-1, int(rank*float64(len(all))))]
}

// drawn are ranks drawn from those of a spread in blocks, so that errors last as long as they
// did, and are those of several services at once.
type drawn struct {
	from *spread
	rng  *rand.Rand
	next int
	left int // of the block
	now  []float64
}

// advance goes to the next interval, and returns its ranks, by service.
func (d *drawn) advance() []float64 {
	n := len(d.from.ranks)
	if d.left == 0 {
		d.next, d.left = d.rng.IntN(n), blockRows
	}
	row := d.from.ranks[d.next]
	d.next, d.left = (d.next+1)%n, d.left-1
	d.now = append(d.now[:0], row...)
	for s, v := range d.now {
		if math.IsNaN(v) {
			d.now[s] = d.rng.Float64()
		}
	}
	return d.now
}
