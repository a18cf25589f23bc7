package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/rules"
)

// sampled is how often a metric has samples, as seen live; 0: unknown, because of err.
type sampled struct {
	every time.Duration
	err   error
}

// leastSamples is how many sampling intervals a range should hold: with fewer, rate()
// jumps or vanishes with a single late scrape.
const leastSamples = 4

// lookBack holds what the queries look back against the interval, and both against how
// often there are samples. Recording rules are followed, which `check` cannot.
func (e *examination) lookBack(ctx context.Context, m Mesh) {
	add := e.about(m.Rules.Name, "look-back")
	s := e.sources[m.Rules.Prometheus]
	if !s.answers {
		add("all", Unknown, "not asked: prometheus."+m.Rules.Prometheus+" does not answer", "")
		return
	}
	seen := map[string]bool{} // names of rules
	before := len(e.findings)
	for _, q := range m.Rules.Queries() {
		e.ranges(ctx, m.Rules, "signal "+q.Name, q)
		for _, rule := range s.recorded.Behind(q) {
			if seen[rule.Name] {
				continue
			}
			seen[rule.Name] = true
			e.rule(m.Rules, rule)
			if rule.Query.Expr != "" {
				e.ranges(ctx, m.Rules, "rule "+rule.Name, rule.Query)
			}
		}
	}
	e.newSamples(ctx, m.Rules)
	if len(e.findings) == before {
		add("all", OK, "ranges, evaluation and samples go with the interval of "+model.Duration(m.Rules.Interval).String(), "")
	}
}

// rule looks at one recording rule.
func (e *examination) rule(m *rules.Mesh, rule probe.Rule) {
	add := e.about(m.Name, "look-back")
	object := "rule " + rule.Name
	if rule.Problem != "" {
		add(object, Problem, "its last evaluation failed: "+rule.Problem, "correct the rule in Prometheus")
	}
	if rule.Interval > m.Interval {
		add(object, Warning, fmt.Sprintf("it is evaluated each %s, less often than the interval of %s", model.Duration(rule.Interval), model.Duration(m.Interval)),
			fmt.Sprintf("add `interval: %s` to its group %s, or raise interval in %s", model.Duration(m.Interval), rule.Group, m.File))
	}
	if rule.Query.Expr == "" {
		add(object, Unknown, "windvane cannot read its expression, and knows neither its ranges nor its buckets", "")
		return
	}
	if longest := rule.Query.LookBack(); longest > m.Interval {
		add(object, Warning, fmt.Sprintf("it looks back %s, longer than the interval of %s", model.Duration(longest), model.Duration(m.Interval)),
			"it still sees what was before the last action: shorten the range, or raise interval in "+m.File)
	}
}

// ranges holds the ranges of an expression against how often what they are of has samples.
func (e *examination) ranges(ctx context.Context, m *rules.Mesh, object string, q rules.Query) {
	add := e.about(m.Name, "look-back")
	for _, r := range q.RangeSelectors() {
		got := e.sample(ctx, m.Prometheus, r.Selector)
		back, every := model.Duration(r.Range), model.Duration(got.every)
		do := fmt.Sprintf("scrape more often, or use a range and an interval of %s or more", leastSamples*every)
		switch {
		case got.err != nil && !errors.Is(got.err, probe.ErrFew):
			add(object, Unknown, fmt.Sprintf("how often %s has samples: %v", r.Selector, got.err), "")
		case every == 0: // without any sample the query itself is a finding
			continue
		case back < 2*every:
			add(object, Problem, fmt.Sprintf("it looks back %s, and %s has a sample each %s: rate() needs two", back, r.Selector, every), do)
		case back < leastSamples*every:
			add(object, Warning, fmt.Sprintf("it looks back %s, and %s has a sample each %s: a single late scrape makes it jump or vanish", back, r.Selector, every), do)
		default:
			continue
		}
		return // one of them says it all
	}
}

// newSamples holds the interval against how often the signals themselves have samples.
func (e *examination) newSamples(ctx context.Context, m *rules.Mesh) {
	add := e.about(m.Name, "look-back")
	slowest, of := time.Duration(0), ""
	for _, q := range m.Queries() {
		for _, selector := range q.Selectors() {
			if got := e.sample(ctx, m.Prometheus, selector); got.every > slowest {
				slowest, of = got.every, selector
			}
		}
	}
	// Scrapes are not exactly as far apart as they should be.
	tolerance := slowest / 10
	switch {
	case slowest == 0:
		add("interval", Unknown, "how often the signals have samples cannot be seen: "+probe.ErrFew.Error(), "look again when there has been some traffic")
	case slowest > m.Interval+tolerance:
		add("interval", Warning, fmt.Sprintf("%s has a sample each %s only: in the cycles between, at an interval of %s, windvane holds", of, model.Duration(slowest), model.Duration(m.Interval)),
			fmt.Sprintf("scrape and evaluate more often, or set interval = %q in %s", model.Duration(slowest), m.File))
	case m.ScrapeInterval > 0 && slowest > m.ScrapeInterval+tolerance:
		add("scrape_interval", Warning, fmt.Sprintf("%s has a sample each %s, and %s is declared", of, model.Duration(slowest), model.Duration(m.ScrapeInterval)),
			fmt.Sprintf("set scrape_interval = %q in %s, so that `check` reckons with it", model.Duration(slowest), m.File))
	}
}

// sample asks once for each metric how often it has samples.
func (e *examination) sample(ctx context.Context, source, selector string) sampled {
	name, _, _ := strings.Cut(selector, "{")
	key := source + "/" + name
	if got, ok := e.sampling[key]; ok {
		return got
	}
	declared, _ := e.o.Config.Source(source)
	var out sampled
	s := e.sources[source]
	out.err = e.askSource(ctx, s, func(ctx context.Context) (err error) {
		out.every, err = probe.Sampling(ctx, s.api, selector, e.o.Now().Add(-declared.QueryOffset))
		return err
	})
	e.sampling[key] = out
	return out
}
