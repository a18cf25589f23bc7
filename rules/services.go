package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

func (r *reader) service(t *Table) Service {
	t.Require("name")
	s := Service{
		Name:           nameOf(t, "name"),
		Value:          t.Number("value", 1, 0, math.Inf(1)),
		MinimumCarried: readRate(t, "minimum_carried"),
	}
	for _, o := range t.Tables("objective") {
		s.Objectives = append(s.Objectives, r.objective(o))
	}
	nameRatios(s.Objectives)
	for _, route := range t.Tables("route") {
		s.Routes = append(s.Routes, readRoute(route))
	}
	if b := t.Table("blocking"); b != nil {
		s.Blocking = readBlocking(b)
	}
	if q := t.Table("signals"); q != nil {
		if q.Has("by") {
			q.Invalid("by", "belongs to [signals]", "a service's own query is not split by a label")
		}
		s.Queries = readQueries(q, s.Name, "by")
	}
	if !t.Has("objective") && !t.Has("route") && !t.Has("blocking") {
		t.Invalid("", "has no objective, no route and no blocking", "say what must hold for it or what may be set, or remove it")
	}
	return s
}

func (r *reader) objective(t *Table) Objective {
	o := Objective{Kind: policy.RatioObjective, Target: .5, Window: DefaultWindow}
	if t.Has("budget") {
		r.part(t, &o)
	} else {
		o.Target, o.Window = r.target(t)
		if t.Has("weight") {
			t.Invalid("weight", "goes with budget only", "it says what part of a [[budget]] this objective gets")
		}
	}
	if t.Has("bad") || t.Has("total") {
		t.Require("bad", "total")
		o.Bad, o.Total = t.Text("bad", ""), t.Text("total", "")
		if t.Has("signal") {
			t.Invalid("signal", "excludes bad and total", "an objective is on a signal, or on bad over total")
		}
		if t.Has("bound") {
			t.Invalid("bound", "does not go with bad and total", "a ratio has no bound")
		}
		return o
	}
	if !t.Has("signal") {
		t.Invalid("signal", "is missing", `name a signal, such as "latency", or give bad and total`)
	}
	o.Signal = t.Text("signal", "")
	if t.Has("bound") {
		o.Kind = policy.LatencyObjective
		o.Bound = t.Duration("bound", 0, time.Millisecond).Seconds()
	}
	return o
}

// target reads what a budget of its own, or a shared one, is made of.
func (r *reader) target(t *Table) (target float64, window time.Duration) {
	target, window = .5, t.Duration("window", DefaultWindow, r.mesh.Interval)
	if !t.Require("target") {
		return target, window
	}
	target = t.Number("target", .5, 0, 1)
	if target == 0 || target == 1 {
		t.Invalid("target", fmt.Sprintf("%v leaves no error budget to steer by", target), "write a share between 0 and 1, such as 0.95")
	}
	return target, window
}

// part reads an objective's part of a shared budget.
func (r *reader) part(t *Table, o *Objective) {
	o.Shared, o.Weight = nameOf(t, "budget"), t.Number("weight", 1, 0, math.Inf(1))
	if o.Weight == 0 {
		t.Invalid("weight", "0 leaves no error budget to steer by", "write a number above 0")
	}
	for _, key := range []string{"target", "window"} {
		if t.Has(key) {
			t.Invalid(key, "does not go with budget", "the [[budget]] has it")
		}
	}
}

func (r *reader) sharedBudget(t *Table) SharedBudget {
	t.Require("name")
	b := SharedBudget{Name: nameOf(t, "name")}
	b.Target, b.Window = r.target(t)
	return b
}

// nameRatios names the signals of the objectives that have no signal of the file.
func nameRatios(objectives []Objective) {
	n := 0
	for i := range objectives {
		if objectives[i].Bad == "" || objectives[i].Total == "" {
			continue
		}
		n++
		objectives[i].Signal = "ratio"
		if n > 1 {
			objectives[i].Signal += "_" + strconv.Itoa(n)
		}
	}
}

func readRoute(t *Table) Route {
	t.Require("virtual_service", "http", "destinations")
	r := Route{
		VirtualService: objectOf(t, "virtual_service"),
		HTTP:           nameOf(t, "http"),
		Destinations:   t.Texts("destinations"),
		Levels:         t.Whole("levels", DefaultLevels, 2, 101),
		Owned:          t.OneOf("ownership", "shared", "shared", "owned") == "owned",
	}
	if r.Destinations != nil && len(r.Destinations) < 2 {
		t.Invalid("destinations", fmt.Sprintf("has %d, want at least 2", len(r.Destinations)), "a weight needs something to be weighed against")
	}
	seen := map[string]bool{}
	for _, d := range r.Destinations {
		if !plainName.MatchString(d) {
			t.Invalid("destinations", fmt.Sprintf("%q is not a name", d), "name subsets, or hosts where there are no subsets")
		}
		if seen[d] {
			t.Invalid("destinations", fmt.Sprintf("%q is listed twice", d), "")
		}
		seen[d] = true
	}
	return r
}

func readBlocking(t *Table) *Blocking {
	b := &Blocking{
		Status: t.Whole("status", DefaultStatus, 400, 599),
		Levels: t.Whole("levels", DefaultLevels, 2, 101),
	}
	if t.Require("maximum") {
		b.Maximum = t.Number("maximum", 1, 0, 1)
		if b.Maximum == 0 {
			t.Invalid("maximum", "0 blocks nothing", "remove [service.blocking] from a service that is never to be blocked")
		}
	}
	return b
}

// readRate reads a number of requests per second, such as "2/s".
func readRate(t *Table, key string) float64 {
	text := t.Text(key, "0/s")
	number, ok := strings.CutSuffix(text, "/s")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil {
		t.Invalid(key, fmt.Sprintf("%q is not a rate", text), `write requests per second, as in "2/s"`)
		return 0
	}
	if problem := outside(v, 0, math.Inf(1)); problem != "" {
		t.Invalid(key, problem, "")
		return 0
	}
	return v
}

func cut(object string) (namespace, name string, ok bool) { return strings.Cut(object, "/") }
