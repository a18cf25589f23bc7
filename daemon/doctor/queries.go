package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// queries evaluates every signal once, as a cycle does.
func (e *examination) queries(ctx context.Context, m Mesh) {
	add := e.about(m.Rules.Name, "query")
	if !e.sources[m.Rules.Prometheus].answers {
		add("all", Unknown, "not asked: prometheus."+m.Rules.Prometheus+" does not answer", "")
		return
	}
	var seen observe.Observation
	e.ask(ctx, func(ctx context.Context) { seen = m.Observer.Observe(ctx, e.o.Now()) })
	for _, q := range m.Rules.Queries() {
		var wrong []observe.Problem
		for _, p := range seen.Problems {
			if gives(q, p.Query) && (q.Service == "" && !ownQuery(m.Rules, p.Service, q.Name) || p.Service == q.Service) {
				wrong = append(wrong, p)
			}
		}
		object := q.Name
		if q.Service != "" {
			object = q.Service + "/" + q.Name
		}
		if len(wrong) == 0 {
			add(object, OK, fmt.Sprintf("one fresh series for each of %s", plural(answered(m.Rules, seen.State, q), "service")), "")
			continue
		}
		for _, group := range byKind(wrong) {
			status, do := e.advise(m.Rules, q, group[0].Kind)
			add(object, status, describe(group), do)
		}
	}
}

// ownQuery reports whether a service has a query of its own of a name.
func ownQuery(m *rules.Mesh, service, name string) bool {
	return service != "" && slices.ContainsFunc(m.Queries(), func(q rules.Query) bool { return q.Service == service && q.Name == name })
}

// gives reports whether a signal is the query's, or that of one destination of a split.
func gives(q rules.Query, signal string) bool {
	return signal == q.Name || q.Name == rules.SignalSplit && strings.HasPrefix(signal, rules.SplitSignal(""))
}

// answered is how many services a query gave a value.
func answered(m *rules.Mesh, state policy.State, q rules.Query) int {
	services := map[string]bool{}
	for _, s := range state {
		if gives(q, s.Name) && s.Status == policy.Valid && (q.Service == s.Service || q.Service == "" && !ownQuery(m, s.Service, q.Name)) {
			services[s.Service] = true
		}
	}
	return len(services)
}

func byKind(problems []observe.Problem) [][]observe.Problem {
	var out [][]observe.Problem
	for _, p := range problems {
		i := slices.IndexFunc(out, func(g []observe.Problem) bool { return g[0].Kind == p.Kind })
		if i < 0 {
			i = len(out)
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// named bounds how many services of a finding are named.
const named = 5

// describe says what is wrong with one kind of problems: for whom, and why, in the words
// of the first.
func describe(group []observe.Problem) string {
	var services []string
	for _, p := range group {
		if p.Service != "" && !slices.Contains(services, p.Service) { // a split has several of each
			services = append(services, p.Service)
		}
	}
	more := ""
	if len(services) > named {
		more = fmt.Sprintf(" and %d more", len(services)-named)
		services = services[:named]
	}
	if len(services) == 0 {
		return fmt.Sprintf("%s: %v", group[0].Kind, group[0].Err)
	}
	return fmt.Sprintf("%s for %s%s: %v", group[0].Kind, strings.Join(services, ", "), more, group[0].Err)
}

// advise says how bad a kind of problem is, and what to do.
func (e *examination) advise(m *rules.Mesh, q rules.Query, kind observe.Kind) (Status, string) {
	switch kind {
	case observe.KindAbsent:
		if q.Name == rules.SignalSplit && e.unrecorded(m, q) == "" {
			return Warning, "where the destination has a weight of 0, or the service no requests, that is as it should be; else the label " + rules.SplitLabel + " of the metrics is not the destination's name in the route"
		}
		if name := e.unrecorded(m, q); name != "" {
			return Problem, "no recording rule gives " + name + ": load deploy/prometheus/istio.rules.yml into Prometheus, or write the query without it"
		}
		return Problem, "look at the expression in Prometheus: are the metric's name and labels right, has the service had requests, does the label " + m.Signals.By + " have the service's name?"
	case observe.KindStale:
		return Problem, "look at the targets and rules in Prometheus: are they up, and evaluated at least once an interval? A cycle without new samples is a hold"
	case observe.KindNaN:
		return Warning, "without requests that is as it should be, and the interval does not count; with requests, look at the expression"
	case observe.KindInf:
		return Problem, "guard the divisor, as in a / (b > 0)"
	case observe.KindDuplicate:
		return Problem, "aggregate to one series a service, as in sum by (" + m.Signals.By + ") (…)"
	case observe.KindPartial:
		return Problem, "Prometheus, or what answers in its place, did not reach all of its data: see its own stores and logs"
	case observe.KindTimeout:
		return Problem, "make a recording rule of the expression, or allow more time (prometheus." + m.Prometheus + ".timeout)"
	case observe.KindType, observe.KindError:
		return Problem, "try the expression in Prometheus, and correct it in " + m.File
	}
	return Problem, ""
}

// unrecorded names a metric of the query that is called as those of recording rules are
// (level:metric:operation) and that no rule gives; empty: none, or unknown.
func (e *examination) unrecorded(m *rules.Mesh, q rules.Query) string {
	s := e.sources[m.Prometheus]
	if s.rulesErr != nil {
		return ""
	}
	for _, name := range q.Metrics() {
		if strings.Contains(name, ":") && len(s.recorded[name]) == 0 {
			return name
		}
	}
	return ""
}
