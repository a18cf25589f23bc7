package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
)

// API is the part of Prometheus' client that is needed: v1.API has it.
type API interface {
	Query(ctx context.Context, query string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
}

// Query is one signal.
type Query struct {
	Name      string // of the signal
	Service   string // empty: the expression answers for the whole mesh, a series for each service
	Role      policy.Role
	Expr      string   // PromQL; an instant vector
	Selectors []string // the series selectors in Expr, without range, offset and @

	// Parts asks for several signals of each service, told apart by PartLabel: its values by
	// service. Their names are Name/part. A service without any has no signal.
	Parts     map[string][]string
	PartLabel string
}

// Options are what an Observer is made of.
type Options struct {
	API         API
	Queries     []Query       // one of a service replaces the mesh's query of the same name for it
	By          string        // the label that names the service in the answers
	Services    []string      // names; series of others are passed over
	Freshness   time.Duration // how much older than the evaluation the newest sample behind a value may be
	Offset      time.Duration // how far the evaluation lies behind the time of Observe, so that late scrapes are in
	Timeout     time.Duration // for all queries of one observation together
	Concurrency int           // queries at a time; 0: 8
}

// Kind says what is wrong with a signal.
type Kind string

// The kinds of problems, each with the status that it gives the signal.
const (
	KindAbsent    Kind = "absent"    // no series for the service: absent
	KindStale     Kind = "stale"     // the newest sample is too old, or of unknown age, or the answer is of another time: stale
	KindNaN       Kind = "nan"       // invalid
	KindInf       Kind = "inf"       // invalid
	KindDuplicate Kind = "duplicate" // several series for the service: invalid
	KindPartial   Kind = "partial"   // Prometheus warned of an incomplete answer: invalid
	KindType      Kind = "type"      // the answer is no instant vector of numbers: invalid
	KindError     Kind = "error"     // Prometheus refused or did not answer: absent, or stale where only the age is missing
	KindTimeout   Kind = "timeout"   // no answer in time: likewise
)

// Problem is why a signal is not valid.
type Problem struct {
	Query   string // name of the signal
	Service string // empty: all services that the query answers for
	Kind    Kind
	Err     error
}

// Observation is all signals of a mesh at one instant.
type Observation struct {
	State    policy.State // every signal of every service, sorted
	At       time.Time    // of the evaluation: the time asked for less the offset, in whole milliseconds
	Problems []Problem    // sorted by query and service; empty: every signal is valid
}

// Observer evaluates the signals of one mesh. It keeps nothing between observations.
type Observer struct {
	api         API
	queries     []Query
	services    [][]string // per query, the services that it answers for
	selectors   []string   // distinct
	by          model.LabelName
	freshness   time.Duration
	offset      time.Duration
	timeout     time.Duration
	concurrency int
}

// New checks the options. What it refuses is a mistake in the wiring: a rules file
// that passed its checks leads to none.
func New(o Options) (*Observer, error) {
	ob := &Observer{
		api: o.API, by: model.LabelName(o.By), freshness: o.Freshness,
		offset: o.Offset, timeout: o.Timeout, concurrency: o.Concurrency,
	}
	if ob.concurrency == 0 {
		ob.concurrency = 8
	}
	switch {
	case o.API == nil:
		return nil, errors.New("observe: no Prometheus client")
	case o.Freshness <= 0, o.Timeout <= 0, o.Offset < 0, ob.concurrency < 0:
		return nil, fmt.Errorf("observe: freshness %v, timeout %v: want both above 0; offset %v, concurrency %d: want neither below 0",
			o.Freshness, o.Timeout, o.Offset, o.Concurrency)
	case !model.LegacyValidation.IsValidLabelName(o.By):
		return nil, fmt.Errorf("observe: %q is no label name", o.By)
	}
	if err := ob.assign(o.Queries, o.Services); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return ob, nil
}

// assign says which services each query answers for.
func (ob *Observer) assign(queries []Query, services []string) error {
	type pair struct{ service, name string }
	own := map[pair]bool{} // answered by a query of the service's own
	wide := map[string]bool{}
	for _, q := range queries {
		p := pair{q.Service, q.Name}
		switch {
		case q.Name == "" || q.Expr == "":
			return fmt.Errorf("query %q of service %q: name or expression is empty", q.Name, q.Service)
		case len(q.Selectors) == 0:
			return fmt.Errorf("query %q: %s selects no series, so that nothing tells how old its value is", q.Name, q.Expr)
		case q.Service != "" && !slices.Contains(services, q.Service):
			return fmt.Errorf("query %q: there is no service %q", q.Name, q.Service)
		case own[p], q.Service == "" && wide[q.Name]:
			return fmt.Errorf("query %q of service %q is there twice", q.Name, q.Service)
		case q.Service == "":
			wide[q.Name] = true
		default:
			own[p] = true
		}
		ob.selectors = append(ob.selectors, q.Selectors...)
	}
	slices.Sort(ob.selectors)
	ob.selectors = slices.Compact(ob.selectors)
	services = slices.Compact(slices.Sorted(slices.Values(services)))
	ob.queries = slices.Clone(queries)
	for _, q := range queries {
		answers := []string{q.Service}
		if q.Service == "" {
			answers = slices.DeleteFunc(slices.Clone(services), func(s string) bool { return own[pair{s, q.Name}] })
		}
		ob.services = append(ob.services, answers)
	}
	return nil
}

// Queries returns how many queries one observation sends.
func (ob *Observer) Queries() int { return len(ob.queries) + len(ob.selectors) }

// Observe evaluates all signals at one instant. It does not fail: what could not be
// measured is in the state as absent, stale or invalid, and Problems says why. It
// returns when every query has ended.
func (ob *Observer) Observe(ctx context.Context, at time.Time) Observation {
	// Prometheus reckons in milliseconds.
	at = at.Add(-ob.offset).Truncate(time.Millisecond)
	values, ages := ob.ask(ctx, at)
	return ob.judge(at, values, ages)
}

// judge makes an observation of the answers to the queries and to the ages of the selectors.
func (ob *Observer) judge(at time.Time, values []answer, ages []age) Observation {
	out := Observation{At: at}
	for i, q := range ob.queries {
		j := judge{query: q, by: ob.by, at: at, freshness: ob.freshness, answer: values[i]}
		for _, selector := range q.Selectors {
			k, _ := slices.BinarySearch(ob.selectors, selector)
			j.ages = append(j.ages, ages[k])
		}
		signals, problems := j.judge(ob.services[i])
		out.State = append(out.State, signals...)
		out.Problems = append(out.Problems, problems...)
	}
	out.State.Sort()
	slices.SortFunc(out.Problems, func(a, b Problem) int {
		if c := strings.Compare(a.Query, b.Query); c != 0 {
			return c
		}
		return strings.Compare(a.Service, b.Service)
	})
	return out
}
