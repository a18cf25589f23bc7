package ruletest

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/budget"
	"github.com/windvane/windvane/rules/margin"
)

// maxCycles bounds a test.
const maxCycles = 100_000

// tolerance is by how much numbers may differ, relative to those above 1.
const tolerance = 1e-6

// file is a file of tests.
type file struct {
	name  string
	doc   *rules.Document
	mesh  *rules.Mesh
	tests []test
	room  int // for values of series
}

// test is one story.
type test struct {
	name      string
	first     margin.Calibration
	tolerance float64
	series    []series
	expect    []expectation // by time
}

// expectation is what is expected at a time; a nil pointer expects nothing.
type expectation struct {
	key      string // path in the file
	at       time.Duration
	service  string
	signal   string
	budget   string // of a shared one; then service and signal are empty
	status   string
	value    *float64
	err      *float64
	measured *bool
	left     *float64
	margin   *float64
	burn     map[time.Duration]float64
}

// load reads a file of tests with its rules file. What is wrong with either comes as rules.Problems.
func load(path string) (*file, error) {
	src, err := rules.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, root, err := rules.ParseDocument(path, src)
	if err != nil {
		return nil, err
	}
	f := &file{name: path, doc: doc, room: maxValues}
	root.Require("rules", "test")
	target := root.Text("rules", "")
	if root.IsText("rules") {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		f.mesh, err = rules.Load(target)
		if _, problems := errors.AsType[rules.Problems](err); problems {
			return nil, err
		}
		if err != nil {
			root.Invalid("rules", err.Error(), "name a rules file, relative to this one")
		}
	}
	for _, t := range root.Tables("test") {
		f.tests = append(f.tests, f.test(t))
	}
	if err := doc.Problems().Err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) test(t *rules.Table) test {
	t.Require("name", "series", "expect")
	out := test{name: t.Text("name", ""), tolerance: t.Number("tolerance", tolerance, 0, 1)}
	interval := rules.DefaultInterval
	if f.mesh != nil {
		interval = f.mesh.Interval
	}
	interval = t.Duration("interval", interval, time.Millisecond)
	out.first = margin.Calibration{Margin: t.Number("margin", 0, -1, math.MaxFloat64), Spread: t.Number("spread", 0, 0, math.MaxFloat64)}
	for _, s := range t.Tables("series") {
		out.series = append(out.series, readSeries(s, interval, &f.room))
	}
	for _, e := range t.Tables("expect") {
		out.expect = append(out.expect, f.expectation(e))
	}
	slices.SortStableFunc(out.expect, func(a, b expectation) int { return int(a.at - b.at) })
	return out
}

func (f *file) expectation(t *rules.Table) expectation {
	t.Require("at")
	e := expectation{key: t.Path(""), at: t.Duration("at", 0, 0), left: number(t, "left")}
	if f.mesh != nil && (e.at%f.mesh.Interval != 0 || e.at/f.mesh.Interval > maxCycles) {
		t.Invalid("at", fmt.Sprintf("%s is not the time of a cycle", model.Duration(e.at)),
			fmt.Sprintf("write a whole number of the interval of %s, at most %d", model.Duration(f.mesh.Interval), maxCycles))
	}
	if t.Has("budget") {
		e.budget = t.Text("budget", "")
		if f.mesh != nil {
			f.shared(t, e.budget)
		}
		return e
	}
	t.Require("service", "signal")
	e.service, e.signal = t.Text("service", ""), t.Text("signal", "")
	e.status = t.OneOf("status", "", policy.Absent.String(), policy.Stale.String(), policy.Invalid.String(), policy.Valid.String())
	e.value, e.err, e.margin, e.burn = number(t, "value"), number(t, "error"), number(t, "margin"), readBurn(t)
	if t.Has("measured") {
		v := t.Bool("measured", false)
		e.measured = &v
	}
	if e.err != nil && e.measured != nil && !*e.measured {
		t.Invalid("measured", "false excludes error", "an interval that was not measured has none")
	}
	if f.mesh != nil {
		f.known(t, e)
	}
	return e
}

func (f *file) shared(t *rules.Table, name string) {
	var names []string
	for _, b := range f.mesh.Budgets {
		names = append(names, b.Name)
	}
	if !slices.Contains(names, name) {
		t.Invalid("budget", fmt.Sprintf("no budget %q in %s", name, f.mesh.File), rules.Suggest(name, names))
	}
}

// known reports services and signals that the rules file does not have, and what is
// expected of a signal without an objective.
func (f *file) known(t *rules.Table, e expectation) {
	services := f.mesh.Services
	i := slices.IndexFunc(services, func(s rules.Service) bool { return s.Name == e.service })
	if i < 0 {
		var names []string
		for _, s := range services {
			names = append(names, s.Name)
		}
		t.Invalid("service", fmt.Sprintf("no service %q in %s", e.service, f.mesh.File), rules.Suggest(e.service, names))
		return
	}
	var signals []string
	for _, q := range f.mesh.Queries() {
		if q.Service == "" || q.Service == e.service {
			signals = append(signals, q.Name)
		}
	}
	slices.Sort(signals)
	signals = slices.Compact(signals)
	if !slices.Contains(signals, e.signal) {
		t.Invalid("signal", fmt.Sprintf("service %q has no signal %q in %s", e.service, e.signal, f.mesh.File), rules.Suggest(e.signal, signals))
		return
	}
	if e.ofObjective() && !slices.ContainsFunc(services[i].Objectives, func(o rules.Objective) bool { return o.Signal == e.signal }) {
		t.Invalid("signal", fmt.Sprintf("service %q has no objective on %q in %s", e.service, e.signal, f.mesh.File), "expect status and value of it only")
	}
}

func (e expectation) ofObjective() bool {
	return e.err != nil || e.measured != nil || e.left != nil || e.margin != nil || len(e.burn) > 0
}

func readBurn(t *rules.Table) map[time.Duration]float64 {
	if !t.Has("burn") {
		return nil
	}
	burn := t.Table("burn")
	if burn == nil {
		return nil
	}
	out := map[time.Duration]float64{}
	for _, w := range budget.Windows() {
		if name := model.Duration(w).String(); burn.Has(name) {
			out[w] = burn.Number(name, 0, 0, math.MaxFloat64)
		}
	}
	return out
}

func number(t *rules.Table, key string) *float64 {
	if !t.Has(key) {
		return nil
	}
	v := t.Number(key, 0, -math.MaxFloat64, math.MaxFloat64)
	return &v
}
