package rules

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// drops reports whether no series of the expression's result can have the label.
// It is true only where the expression proves it.
func drops(expr parser.Expr, label string) bool {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return drops(e.Expr, label)
	case *parser.UnaryExpr:
		return drops(e.Expr, label)
	case *parser.StepInvariantExpr:
		return drops(e.Expr, label)
	case *parser.SubqueryExpr:
		return drops(e.Expr, label)
	case *parser.AggregateExpr:
		return aggregateDrops(e, label)
	case *parser.BinaryExpr:
		return binaryDrops(e, label)
	case *parser.Call:
		return callDrops(e, label)
	}
	return false
}

func aggregateDrops(e *parser.AggregateExpr, label string) bool {
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return drops(e.Expr, label) // these select series, and leave their labels alone
	case parser.COUNT_VALUES:
		if name, ok := e.Param.(*parser.StringLiteral); ok && name.Val == label {
			return false
		}
	}
	if slices.Contains(e.Grouping, label) == e.Without {
		return true
	}
	return drops(e.Expr, label)
}

func binaryDrops(e *parser.BinaryExpr, label string) bool {
	left, right := drops(e.LHS, label), drops(e.RHS, label)
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return right
	case e.RHS.Type() == parser.ValueTypeScalar || e.VectorMatching == nil:
		return left
	case e.Op == parser.LOR:
		return left && right
	case e.Op == parser.LAND || e.Op == parser.LUNLESS:
		return left
	}
	m := e.VectorMatching
	switch m.Card {
	case parser.CardManyToOne:
		return left && !slices.Contains(m.Include, label)
	case parser.CardOneToMany:
		return right && !slices.Contains(m.Include, label)
	default:
		return slices.Contains(m.MatchingLabels, label) != m.On || left || right
	}
}

func callDrops(e *parser.Call, label string) bool {
	switch e.Func.Name {
	case "vector":
		return true
	case "absent", "absent_over_time":
		return false // labels come from the selector's matchers
	case "label_replace", "label_join":
		if name, ok := e.Args[1].(*parser.StringLiteral); ok && name.Val == label {
			return false
		}
	}
	for _, arg := range e.Args {
		if t := arg.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			return drops(arg, label)
		}
	}
	return true // such as hour(): a function of the time alone
}
