package dataset

import "math"

// correlations are those of columns, and what is needed to use them.
type correlations struct {
	columns     [][]float64
	mean, sd    []float64
	coefficient [][]float64
}

// correlate takes a value that is not known for the mean of its column.
func correlate(columns [][]float64) correlations {
	c := correlations{columns: columns, mean: make([]float64, len(columns)), sd: make([]float64, len(columns))}
	for i, column := range columns {
		c.mean[i], c.sd[i] = moments(column)
	}
	c.coefficient = make([][]float64, len(columns))
	for i := range c.coefficient {
		c.coefficient[i] = make([]float64, len(columns))
	}
	if len(columns) == 0 || len(columns[0]) == 0 {
		return c
	}
	z := make([]float64, len(columns))
	for row := range columns[0] {
		for i := range columns {
			z[i] = c.standard(i, row)
		}
		for i, v := range z {
			if v == 0 {
				continue
			}
			for j := range i + 1 {
				c.coefficient[i][j] += v * z[j]
			}
		}
	}
	for i := range c.coefficient {
		for j := range i + 1 {
			c.coefficient[i][j] /= float64(len(columns[0]))
			c.coefficient[j][i] = c.coefficient[i][j]
		}
	}
	return c
}

// standard is a value in standard deviations from the mean.
func (c correlations) standard(column, row int) float64 {
	v := c.columns[column][row]
	if math.IsNaN(v) || c.sd[column] == 0 {
		return 0
	}
	return (v - c.mean[column]) / c.sd[column]
}

func moments(column []float64) (mean, sd float64) {
	n := 0.0
	for _, v := range column {
		if !math.IsNaN(v) {
			n++
			mean += v
		}
	}
	if n == 0 {
		return 0, 0
	}
	mean /= n
	for _, v := range column {
		if !math.IsNaN(v) {
			sd += (v - mean) * (v - mean)
		}
	}
	if sd = math.Sqrt(sd / n); sd < 1e-9*math.Abs(mean) {
		return mean, 0 // rounding
	}
	return mean, sd
}

// degenerate is the share of a column's variance below which others explain it.
const degenerate = 1e-3

// regress explains a column by others, linearly: the coefficients, all in standard deviations,
// and the share of its variance that is left. A column that others before it explain has the
// coefficient 0.
func (c correlations) regress(target int, by []int) (coefficients []float64, left float64) {
	at := append(append([]int(nil), by...), target)
	a := make([][]float64, len(at))
	for i, x := range at {
		a[i] = make([]float64, len(at))
		for j, y := range at {
			a[i][j] = c.coefficient[x][y]
		}
	}
	last := len(by)
	swept := make([]bool, len(by))
	for k := range by {
		if swept[k] = a[k][k] > degenerate; swept[k] {
			sweep(a, k)
		}
	}
	coefficients = make([]float64, len(by))
	for k := range by {
		if swept[k] {
			coefficients[k] = a[k][last]
		}
	}
	return coefficients, math.Max(0, a[last][last])
}

// sweep brings a column of a matrix of correlations to the explaining side (Goodnight, A
// tutorial on the SWEEP operator, The American Statistician 33, 1979).
func sweep(a [][]float64, k int) {
	d := a[k][k]
	for j := range a[k] {
		a[k][j] /= d
	}
	for i := range a {
		if i == k {
			continue
		}
		b := a[i][k]
		for j := range a[i] {
			a[i][j] -= b * a[k][j]
		}
		a[i][k] = -b / d
	}
	a[k][k] = 1 / d
}

// residuals are what is left of a column by others, in standard deviations; NaN where it is not
// known.
func (c correlations) residuals(target int, by []int) []float64 {
	coefficients, _ := c.regress(target, by)
	out := make([]float64, len(c.columns[target]))
	for row := range out {
		if math.IsNaN(c.columns[target][row]) {
			out[row] = math.NaN()
			continue
		}
		out[row] = c.standard(target, row)
		for i, x := range by {
			if coefficients[i] != 0 {
				out[row] -= coefficients[i] * c.standard(x, row)
			}
		}
	}
	return out
}
