package rules

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// ParseQuery parses an expression from elsewhere, such as a recording rule, as a query of
// a rules file; name is the signal's.
func ParseQuery(name, expr string) (Query, error) {
	parsed, message, _ := parseQuery(expr)
	if message != "" {
		return Query{}, errors.New(message)
	}
	return Query{Name: name, Role: defaultRole(name), Expr: expr, parsed: parsed}, nil
}

// LookBack returns the longest range of the expression, subqueries included; 0: there is
// none.
func (q Query) LookBack() time.Duration {
	longest, _ := q.ranges()
	return longest
}

// RangeSelector is a selector of samples over a range, as in rate(x[5s]).
type RangeSelector struct {
	Selector string // without range, offset and @
	Range    time.Duration
}

// RangeSelectors returns the expression's range selectors in the order of the expression.
func (q Query) RangeSelectors() []RangeSelector {
	var out []RangeSelector
	parser.Inspect(q.parsed, func(node parser.Node, _ []parser.Node) error {
		if m, ok := node.(*parser.MatrixSelector); ok {
			if v, ok := m.VectorSelector.(*parser.VectorSelector); ok {
				plain := parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}
				out = append(out, RangeSelector{plain.String(), m.Range})
			}
		}
		return nil
	})
	return out
}

// Metrics returns the names of the metrics that the expression reads, each once and
// sorted. A selector that does not name one metric is left out.
func (q Query) Metrics() []string {
	var out []string
	parser.Inspect(q.parsed, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok && v.Name != "" {
			out = append(out, v.Name)
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Quantile is a quantile that an expression takes of a histogram.
type Quantile struct {
	Selector string  // the histogram's buckets, without range, offset and @, and without a matcher of le
	Factor   float64 // of the expression's value to the histogram's unit: .001 where milliseconds become seconds
}

// Quantiles returns the quantiles in the expression, and the metrics that it reads
// without taking one, such as those of recording rules, with their factor.
func (q Query) Quantiles() (quantiles, plain []Quantile) {
	var walk func(e parser.Node, factor float64, inside bool)
	walk = func(e parser.Node, factor float64, inside bool) {
		switch n := e.(type) {
		case *parser.BinaryExpr:
			left, right := factors(n)
			walk(n.LHS, factor*left, inside)
			walk(n.RHS, factor*right, inside)
			return
		case *parser.Call:
			if n.Func.Name == "histogram_quantile" && len(n.Args) == 2 {
				walk(n.Args[1], factor, true)
				return
			}
		case *parser.VectorSelector:
			found := Quantile{Selector: buckets(n), Factor: factor}
			if inside {
				quantiles = append(quantiles, found)
			} else {
				plain = append(plain, found)
			}
			return
		}
		for child := range parser.ChildrenIter(e) {
			walk(child, factor, inside)
		}
	}
	walk(q.parsed, 1, false)
	return quantiles, plain
}

// factors returns what an operation multiplies its sides by, where one is a number.
func factors(e *parser.BinaryExpr) (left, right float64) {
	a, aIs := number(e.LHS)
	b, bIs := number(e.RHS)
	switch {
	case e.Op == parser.MUL && bIs:
		return b, 1
	case e.Op == parser.MUL && aIs:
		return 1, a
	case e.Op == parser.DIV && bIs && b != 0:
		return 1 / b, 1
	}
	return 1, 1
}

func number(e parser.Expr) (float64, bool) {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			break
		}
		e = p.Expr
	}
	n, ok := e.(*parser.NumberLiteral)
	if !ok {
		return 0, false
	}
	return n.Val, true
}

func buckets(v *parser.VectorSelector) string {
	plain := parser.VectorSelector{Name: v.Name}
	for _, m := range v.LabelMatchers {
		if m.Name != labels.BucketLabel {
			plain.LabelMatchers = append(plain.LabelMatchers, m)
		}
	}
	return plain.String()
}
