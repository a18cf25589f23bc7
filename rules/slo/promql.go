package slo

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/windvane/windvane/rules"
)

var (
	promql = parser.NewParser(parser.Options{})
	window = regexp.MustCompile(`\{\{-?\s*\.window\s*-?\}\}`)
)

// expr parses a query whose range may be a template, and writes it in one line.
func (m *mesh) expr(query string) (string, error) {
	text := window.ReplaceAllString(query, model.Duration(m.options.Interval).String())
	if strings.TrimSpace(text) == "" {
		return "", errors.New("it has no query")
	}
	if strings.Contains(text, "{{") {
		return "", errors.New("its query has a template other than {{.window}}")
	}
	if err := rules.CheckQuery(text); err != nil {
		return "", fmt.Errorf("its query %w", err)
	}
	e, err := promql.ParseExpr(text)
	if err != nil {
		return "", err
	}
	return e.String(), nil
}

// usable says what is wrong with queries that were made.
func (m *mesh) usable(queries ...string) error {
	for _, q := range queries {
		if err := rules.CheckQuery(q); err != nil {
			return fmt.Errorf("%s %w", q, err)
		}
	}
	return nil
}

// rate makes rates of the counters in a query that has no ranges yet.
func (m *mesh) rate(expr string) (string, error) {
	e, err := promql.ParseExpr(expr)
	if err != nil {
		return "", err
	}
	var selectors []*parser.VectorSelector
	ranges := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			selectors = append(selectors, n)
		case *parser.MatrixSelector, *parser.SubqueryExpr:
			ranges = true
		}
		return nil
	})
	if ranges {
		return expr, nil
	}
	slices.SortFunc(selectors, func(a, b *parser.VectorSelector) int { return int(b.PosRange.Start - a.PosRange.Start) })
	for _, s := range selectors {
		r := parser.MatrixSelector{VectorSelector: s, Range: m.options.Interval}
		expr = expr[:s.PosRange.Start] + "rate(" + r.String() + ")" + expr[s.PosRange.End:]
	}
	return expr, nil
}

// over returns a function over the range of a metric, as in over("rate", "x{a=1} offset 1m").
func (m *mesh) over(function, metric string) (string, error) {
	text, err := m.expr(metric)
	if err != nil {
		return "", err
	}
	e, err := promql.ParseExpr(text)
	if err != nil {
		return "", err
	}
	s, ok := e.(*parser.VectorSelector)
	if !ok {
		return "", fmt.Errorf("its metric %s is not a series selector", text)
	}
	r := parser.MatrixSelector{VectorSelector: s, Range: m.options.Interval}
	return function + "(" + r.String() + ")", nil
}

// badOf is what a rules file divides by total: errors that have no series yet are none.
// A difference is left alone: that one of its parts is missing does not mean that
// nothing is bad.
func badOf(errs, total string) string {
	difference := false
	if e, err := promql.ParseExpr(errs); err == nil {
		parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
			b, ok := n.(*parser.BinaryExpr)
			difference = difference || ok && b.Op == parser.SUB
			return nil
		})
	}
	if difference {
		return errs
	}
	return fmt.Sprintf("(%s) or 0 * (%s)", errs, total)
}

// restOf is what of total is not good: all of it, where nothing is good yet.
func restOf(good, total string) string {
	return fmt.Sprintf("(%s) - ((%s) or 0 * (%[1]s))", total, good)
}

// isRate reports whether a query gives a number per second.
func isRate(expr string) bool {
	e, err := promql.ParseExpr(expr)
	found := false
	if err != nil {
		return false
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		c, ok := n.(*parser.Call)
		found = found || ok && (c.Func.Name == "rate" || c.Func.Name == "irate")
		return nil
	})
	return found
}

var (
	inMilliseconds = regexp.MustCompile(`(^|[_:])(milliseconds|ms)([_:]|$)`)
	inSeconds      = regexp.MustCompile(`(^|[_:])seconds([_:]|$)`)
	notATime       = regexp.MustCompile(`_(count|sum|total)$`)
)

// unit returns how many of a query's unit are a second, if it is a time by the names of
// its metrics; 0: they do not say so.
func unit(expr string) float64 {
	e, err := promql.ParseExpr(expr)
	if err != nil {
		return 0
	}
	quantile, units := false, map[float64]bool{}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.Call:
			quantile = quantile || n.Func.Name == "histogram_quantile"
		case *parser.VectorSelector:
			units[unitOf(n.Name, quantile)] = true
		}
		return nil
	})
	for v := range units {
		if len(units) == 1 {
			return v
		}
	}
	return 0
}

// unitOf is the unit of one metric; the buckets of a histogram have one within a quantile.
func unitOf(name string, quantile bool) float64 {
	switch {
	case notATime.MatchString(name), strings.HasSuffix(name, "_bucket") && !quantile:
		return 0
	case inMilliseconds.MatchString(name):
		return 1000
	case inSeconds.MatchString(name):
		return 1
	}
	return 0
}

// bound writes seconds as a duration of a rules file; false: it is no whole number of
// milliseconds.
func bound(seconds float64) (string, bool) {
	ms := seconds * 1000
	if !(ms >= 1 && ms <= 1e9) || !near(ms) {
		return "", false
	}
	return model.Duration(time.Duration(int64(ms+.5)) * time.Millisecond).String(), true
}

// near reports whether a number of milliseconds is whole, but for rounding.
func near(ms float64) bool {
	d := ms - float64(int64(ms+.5))
	return d < 1e-6 && d > -1e-6
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
