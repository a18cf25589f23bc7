package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/windvane/windvane/plugins/policy"
)

// Bounds of an expression. The parser asks every level of the tree for its type, which
// asks all levels below: its time grows with the square of the depth, and that with the
// number of operators.
const (
	maxExpr      = 16 << 10 // bytes
	maxOperators = 1000     // signs and opening parentheses, wherever they stand
)

var promql = parser.NewParser(parser.Options{})

// Query is a PromQL expression behind a signal.
type Query struct {
	Name    string      // of the signal
	Service string      // empty: one series for each service, told apart by Signals.By
	Role    policy.Role // what the signal means to policies
	Expr    string      // PromQL, an instant vector

	key    string // where the expression stands in the file
	parsed parser.Expr
}

// Selectors returns the vector selectors of the expression as PromQL, without
// range, offset and @, each once and sorted. The newest sample that they select
// says how fresh the query's value is.
func (q Query) Selectors() []string {
	var out []string
	parser.Inspect(q.parsed, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			plain := parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}
			out = append(out, plain.String())
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// ranges returns the longest range of the expression, subqueries included, and the
// shortest of its range selectors; 0: there is none.
func (q Query) ranges() (longest, shortest time.Duration) {
	parser.Inspect(q.parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			longest = max(longest, n.Range)
			if shortest == 0 || n.Range < shortest {
				shortest = n.Range
			}
		case *parser.SubqueryExpr:
			longest = max(longest, n.Range)
		}
		return nil
	})
	return longest, shortest
}

// defaultRole returns the role that goes with a signal's name.
func defaultRole(name string) policy.Role {
	switch role := policy.Role(name); role {
	case policy.RoleOffered, policy.RoleCarried, policy.RoleLatency:
		return role
	default: // ratios get theirs where they are used
		return policy.RoleContext
	}
}

func findQuery(queries []Query, name string) (Query, bool) {
	i := slices.IndexFunc(queries, func(q Query) bool { return q.Name == name })
	if i < 0 {
		return Query{}, false
	}
	return queries[i], true
}

// parseExpressions parses every expression and adds the queries of objectives
// that are written as bad and total.
func (r *reader) parseExpressions() {
	m := r.mesh
	for i := range m.Signals.Queries {
		q := &m.Signals.Queries[i]
		if q.parsed = r.parse(q.Expr, q.key); q.parsed != nil && drops(q.parsed, m.Signals.By) {
			r.express(q.key, fmt.Sprintf("the result has no label %q, by which services are told apart", m.Signals.By),
				fmt.Sprintf("aggregate with by (%s), or set signals.by", m.Signals.By))
		}
	}
	for i := range m.Services {
		s := &m.Services[i]
		for j := range s.Queries {
			s.Queries[j].parsed = r.parse(s.Queries[j].Expr, s.Queries[j].key)
		}
		for j, o := range s.Objectives {
			key := index(index("service", i)+".objective", j)
			bad, total := r.parse(o.Bad, join(key, "bad")), r.parse(o.Total, join(key, "total"))
			if bad == nil || total == nil {
				continue
			}
			s.Queries = append(s.Queries, ratioQuery(s.Name, o.Signal, bad, total, key))
		}
		slices.SortFunc(s.Queries, Query.compare)
	}
	slices.SortFunc(m.Signals.Queries, Query.compare)
	r.checkSplits()
}

func ratioQuery(service, name string, bad, total parser.Expr, key string) Query {
	ratio := &parser.BinaryExpr{
		Op:             parser.DIV,
		LHS:            &parser.ParenExpr{Expr: bad},
		RHS:            &parser.ParenExpr{Expr: total},
		VectorMatching: &parser.VectorMatching{Card: parser.CardOneToOne},
	}
	return Query{Name: name, Service: service, Role: policy.RoleRatio, Expr: ratio.String(), key: join(key, "bad"), parsed: ratio}
}

// parse returns nil for an expression that is empty because it is missing or of
// a wrong type, which has been reported, and for one that is wrong.
func (r *reader) parse(expr, key string) parser.Expr {
	if expr == "" {
		if _, written := r.mesh.doc.lines[key]; written && !r.mesh.doc.reported(key) {
			r.express(key, "is empty, want a PromQL expression", "")
		}
		return nil
	}
	parsed, message, hint := parseQuery(expr)
	if message != "" {
		r.express(key, message, hint)
		return nil
	}
	return parsed
}

// CheckQuery says what is wrong with an expression as a query of a rules file.
func CheckQuery(expr string) error {
	if _, message, _ := parseQuery(expr); message != "" {
		return errors.New(message)
	}
	return nil
}

// parseQuery returns a query, or what is wrong with it and what to do.
func parseQuery(expr string) (parsed parser.Expr, message, hint string) {
	if len(expr) > maxExpr {
		return nil, "is longer than 16 KiB", "make a recording rule of it"
	}
	if n := len(expr) - len(strings.Map(withoutOperators, expr)); n > maxOperators {
		return nil, fmt.Sprintf("has %d operators and parentheses, want at most %d", n, maxOperators), "make a recording rule of it"
	}
	parsed, err := promql.ParseExpr(expr)
	if err != nil {
		return nil, promqlMessage(err), ""
	}
	switch t := parsed.Type(); {
	case t == parser.ValueTypeMatrix:
		return nil, "is a range vector, want an instant vector", "apply a function such as rate() or avg_over_time()"
	case t != parser.ValueTypeVector:
		return nil, fmt.Sprintf("is a %s, want an instant vector", parser.DocumentedType(t)), "a signal is read from series"
	case len(Query{parsed: parsed}.Selectors()) == 0:
		return nil, "reads no series", "without one nobody can tell whether the value is fresh"
	}
	return parsed, "", ""
}

// withoutOperators drops what can make a tree deep; all of them are single bytes.
func withoutOperators(c rune) rune {
	if strings.ContainsRune("+-*/%^(", c) {
		return -1
	}
	return c
}

func (r *reader) express(key, message, hint string) {
	r.expressions = append(r.expressions, r.mesh.doc.Problem(key, message, hint))
}

// promqlMessage is the first of the parser's errors, with its position in the expression.
func promqlMessage(err error) string {
	if all, ok := errors.AsType[parser.ParseErrors](err); ok && len(all) > 0 {
		err = &all[0]
	}
	return "PromQL: " + err.Error()
}

func (q Query) compare(other Query) int {
	switch {
	case q.Name < other.Name:
		return -1
	case q.Name > other.Name:
		return 1
	}
	return 0
}
