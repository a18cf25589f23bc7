package ruletest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/budget"
	"github.com/windvane/windvane/rules/margin"
)

// Result is what came of one test.
type Result struct {
	File     string   `json:"file"`
	Name     string   `json:"name"`
	Checks   int      `json:"checks"`   // expectations that were held against what came out
	Failures []string `json:"failures"` // with file and line, what was expected, and what came; empty: the test passed
}

// Run runs the tests of a file. What is wrong with the file or its rules file comes as
// rules.Problems.
func Run(ctx context.Context, path string) ([]Result, error) {
	f, err := load(path)
	if err != nil {
		return nil, err
	}
	var out []Result
	for _, t := range f.tests {
		r, err := f.run(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, t.name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// moment is what is known after one cycle.
type moment struct {
	seen     observe.Newest
	state    policy.State
	problems []observe.Problem
	measured []margin.Measured
	control  margin.Control
	reports  []budget.Report
	shared   []budget.SharedReport
}

// run has a cycle at every interval up to the last time of which something is expected.
func (f *file) run(ctx context.Context, t test) (Result, error) {
	o := observe.ForMesh(f.mesh)
	o.API, o.Timeout, o.Concurrency = newEngine(t.series), time.Minute, 1
	observer, err := observe.New(o)
	if err != nil {
		return Result{}, err
	}
	params, services, ledger := margin.Defaults(), f.mesh.PolicyServices(), f.mesh.Ledger()
	m := moment{control: margin.Control(nil).Adopt(params, services, func(string, string) margin.Calibration { return t.first })}
	out := Result{File: f.name, Name: t.name, Failures: []string{}}
	for at, next := time.Duration(0), 0; next < len(t.expect); at += f.mesh.Interval {
		now := start.Add(at)
		seen := observer.Observe(ctx, now)
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		m.state, m.problems = seen.State, seen.Problems
		m.renew()
		m.control, m.measured = m.control.Measure(params, services, m.state, margin.Choice{Counted: true})
		for _, e := range m.measured {
			if !e.Known {
				continue
			}
			if err := ledger.Add(e.Service, e.Signal, now, e.Error); err != nil {
				return Result{}, err
			}
		}
		if t.expect[next].at != at {
			continue
		}
		m.reports = ledger.Reports(now)
		m.shared = ledger.SharedReports(m.reports)
		for ; next < len(t.expect) && t.expect[next].at == at; next++ {
			out.Checks++
			for _, why := range m.check(t.expect[next], t.tolerance) {
				p := f.doc.Problem(t.expect[next].key, why, "")
				out.Failures = append(out.Failures, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message))
			}
		}
	}
	return out, nil
}

// renew marks signals without a newer sample than before as stale, and says so.
func (m *moment) renew() {
	before := slices.Clone(m.state)
	for i, s := range m.seen.Renew(m.state) {
		if s.Status != before[i].Status {
			m.problems = append(m.problems, observe.Problem{
				Query: s.Name, Service: s.Service, Kind: observe.KindStale, Err: fmt.Errorf("no sample since that of %s", model.Duration(s.At.Sub(start))),
			})
		}
	}
}

// verdict collects what is not as expected.
type verdict struct {
	what      string // of which it is said
	tolerance float64
	out       []string
}

func (v *verdict) differ(name, want, got string) {
	v.out = append(v.out, fmt.Sprintf("%s: %s: expected %s, got %s", v.what, name, want, got))
}

// number compares a number that is expected, if it is, with one that may be unknown.
func (v *verdict) number(name string, want, got *float64, unknown string) {
	switch {
	case want == nil || got != nil && math.Abs(*want-*got) <= v.tolerance*math.Max(1, math.Abs(*want)):
	case got == nil:
		v.differ(name, text(*want), unknown)
	default:
		v.differ(name, text(*want), text(*got))
	}
}

const unmeasured = "nothing: no interval was measured"

// check returns what is not as expected.
func (m *moment) check(e expectation, tolerance float64) []string {
	v := verdict{what: fmt.Sprintf("at %s: %s of %s", model.Duration(e.at), e.signal, e.service), tolerance: tolerance}
	if e.budget != "" {
		v.what = fmt.Sprintf("at %s: budget %s", model.Duration(e.at), e.budget)
		v.number("left", e.left, m.left(e.budget), "nothing: an objective that shares it was not measured")
		return v.out
	}
	s := m.state.Find(e.service, e.signal)
	is := s.Status.String() + m.why(e)
	if e.status != "" && e.status != s.Status.String() {
		v.differ("status", e.status, is)
	}
	v.number("value", e.value, known(s.Get()), is)
	if e.ofObjective() {
		m.checkObjective(&v, e, is)
	}
	return v.out
}

func (m *moment) checkObjective(v *verdict, e expectation, is string) {
	measured := m.interval(e)
	if e.measured != nil && *e.measured != measured.Known {
		v.differ("measured", strconv.FormatBool(*e.measured), fmt.Sprintf("%v: %s", measured.Known, is))
	}
	v.number("error", e.err, known(measured.Error, measured.Known), "no interval: "+is)
	v.number("margin", e.margin, m.margin(e), "none")
	r := m.report(e)
	v.number("left", e.left, r.Left, unmeasured)
	for _, w := range slices.Sorted(maps.Keys(e.burn)) {
		for _, b := range r.Burn {
			if want := e.burn[w]; b.Window == w {
				v.number("burn "+model.Duration(w).String(), &want, b.Rate, unmeasured)
			}
		}
	}
}

// why returns what the observer found wrong with a signal.
func (m *moment) why(e expectation) string {
	for _, p := range m.problems {
		if p.Query == e.signal && (p.Service == "" || p.Service == e.service) {
			return fmt.Sprintf(" (%v)", p.Err)
		}
	}
	return ""
}

func (m *moment) interval(e expectation) margin.Measured {
	for _, x := range m.measured {
		if x.Service == e.service && x.Signal == e.signal {
			return x
		}
	}
	return margin.Measured{}
}

func (m *moment) margin(e expectation) *float64 {
	for _, x := range m.control {
		if x.Service == e.service && x.Signal == e.signal {
			return &x.Margin
		}
	}
	return nil
}

func (m *moment) report(e expectation) budget.Report {
	for _, r := range m.reports {
		if r.Service == e.service && r.Signal == e.signal {
			return r
		}
	}
	return budget.Report{}
}

func (m *moment) left(name string) *float64 {
	for _, s := range m.shared {
		if s.Name == name {
			return s.Left
		}
	}
	return nil
}

func text(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }

func known(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}
