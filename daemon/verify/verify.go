// Package verify judges from telemetry whether a mesh follows the settings that it is
// given. That the API server has stored a weight says nothing of the proxies: one that
// lost its connection, another controller, or a route that is never matched keep the
// requests from following.
//
// Weights are held against the signal `split`, where it is declared; blocking against
// carried over offered, from which it shows as too little refused. What is more than
// commanded may be errors, and is not told from them.
//
// It is pure: no clock and no network. What follows from its verdicts is the loop's
// business.
package verify

import (
	"math"
	"slices"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// Slack is for how many cycles in a row requests may be away from what is commanded
// before a service has failed to follow. To them comes the latency: a proxy counts a
// request when it ends, so that under overload what is counted began under earlier
// settings, and is not in proportion while queues grow or drain.
const Slack = 3

// longestLag bounds how many cycles the latency may add.
const longestLag = 12

// Verdict says whether a service follows.
type Verdict string

// The verdicts.
const (
	Undecided Verdict = "undecided" // nothing is measured, or of too few requests
	Converged Verdict = "converged"
	NotYet    Verdict = "not_yet" // within the time that it may take
	Failed    Verdict = "failed"
)

// Finding is the verdict on one service.
type Finding struct {
	Service string
	Verdict Verdict
	Shares  []Share // by what it was judged; none: there is nothing to judge by
}

// Away reports whether a share is, which chance does not explain.
func (f Finding) Away() bool {
	return slices.ContainsFunc(f.Shares, func(s Share) bool { return s.Away })
}

// Watch knows what to hold against what, in one mesh. It is read-only.
type Watch struct {
	services []service
	owner    map[policy.KnobID]string // the service that a knob is of
	interval float64                  // seconds
	seconds  float64                  // of the requests behind a signal
	delay    int                      // cycles until a signal is of a setting alone
	shares   int
}

type service struct {
	name     string
	blocking policy.KnobID
	blocked  bool // it has that knob
	weights  []policy.KnobID
}

// New returns the watch of a mesh.
func New(m *rules.Mesh) *Watch {
	d := Delay(m)
	w := &Watch{delay: d.Cycles(), interval: m.Interval.Seconds(), owner: map[policy.KnobID]string{}, seconds: Seconds(m)}
	for _, s := range m.Services {
		of := service{name: s.Name, blocked: s.Blocking != nil, blocking: policy.KnobID{Kind: policy.Blocking, Target: s.Name}}
		if r, ok := s.SplitRoute(); ok {
			for _, d := range r.Destinations {
				of.weights = append(of.weights, policy.KnobID{Kind: policy.Weight, Target: r.VirtualService + "/" + r.HTTP, Part: d})
			}
		}
		for _, id := range append(slices.Clone(of.weights), of.blocking) {
			w.owner[id] = s.Name
		}
		w.shares += len(of.weights) + 1
		w.services = append(w.services, of)
	}
	slices.SortFunc(w.services, func(a, b service) int { return strings.Compare(a.name, b.name) })
	return w
}

// Delay is the mesh's, with the look-back of recording rules: they keep to the interval, or
// check has said so.
func Delay(m *rules.Mesh) rules.Delay {
	d := m.Delay()
	if d.LookBack == 0 {
		d.LookBack = m.Interval
	}
	return d
}

// Seconds is of how much time the requests behind a signal of the mesh are. rate() measures
// the time between its first and last samples, of which there should be four in a look-back
// at least.
func Seconds(m *rules.Mesh) float64 {
	d := Delay(m)
	if d.Scrape > 0 {
		return max(d.LookBack-d.Scrape, d.LookBack/2).Seconds()
	}
	return (d.LookBack * 3 / 4).Seconds()
}

// Judge holds what was observed against what was in force meanwhile, as the API server
// had it, and returns a finding for each service. Without live, nothing is known.
func (w *Watch) Judge(s State, signals policy.State, live policy.Action) (State, []Finding) {
	s = s.clone()
	if s.remember(live, w.delay+longestLag); len(s.lives) < w.delay {
		return s, nil
	}
	out := make([]Finding, len(w.services))
	for i, of := range w.services {
		own := signalsOf(signals, of.name)
		lag := w.lag(own, of.name)
		from := max(0, len(s.lives)-w.delay-lag)
		f := Finding{Service: of.name, Shares: w.observe(of, own, s.lives[from:])}
		s.judge(&f, Slack+lag, of.before(s.lives[:from]))
		out[i] = f
	}
	return s, out
}

// lag is by how many cycles requests may end after they began.
func (w *Watch) lag(own policy.State, service string) int {
	latency, ok := rate(own.Role(service, policy.RoleLatency))
	if !ok {
		return 0
	}
	return int(math.Min(longestLag, math.Floor(latency/w.interval+.5)))
}

// before are the last settings of a service; nil: not known.
func (of service) before(lives []policy.Action) policy.Action {
	if len(lives) == 0 {
		return nil
	}
	var out policy.Action
	for _, id := range append(slices.Clone(of.weights), of.blocking) {
		if v, ok := lives[len(lives)-1].Get(id); ok {
			out = append(out, policy.Setting{KnobID: id, Value: v})
		}
	}
	return out
}

// observe measures the shares of a service that are known.
func (w *Watch) observe(of service, own policy.State, window []policy.Action) []Share {
	offered, known := rate(own.Role(of.name, policy.RoleOffered))
	carried, admitted := rate(own.Role(of.name, policy.RoleCarried))
	if !admitted {
		return nil
	}
	var out []Share
	for _, id := range of.weights {
		x := Share{KnobID: id, Requests: carried * w.seconds}
		x.Observed, x.Known = rate(own.Find(of.name, rules.SplitSignal(id.Part)))
		x.Known = x.Known && x.Observed <= 1 && x.hull(window)
		out = append(out, x)
	}
	if of.blocked && known && offered > 0 {
		x := Share{KnobID: of.blocking, Requests: offered * w.seconds, Observed: math.Max(0, 1-carried/offered)}
		x.Known = x.hull(window)
		x.High = 1 // errors are not carried either
		out = append(out, x)
	}
	out = slices.DeleteFunc(out, func(x Share) bool { return !x.Known })
	for i := range out {
		out[i].weigh(w.shares)
	}
	return out
}

// signalsOf are those of a service, of a sorted state.
func signalsOf(s policy.State, service string) policy.State {
	from, _ := slices.BinarySearchFunc(s, service, func(x policy.Signal, name string) int { return strings.Compare(x.Service, name) })
	to := from
	for to < len(s) && s[to].Service == service {
		to++
	}
	return s[from:to]
}

func rate(s policy.Signal) (float64, bool) {
	v, ok := s.Get()
	return v, ok && v >= 0 && !math.IsInf(v, 1)
}

// hull sets what was commanded in a window; false: that is not known of all of it.
func (s *Share) hull(window []policy.Action) bool {
	s.Low, s.High = math.Inf(1), math.Inf(-1)
	for _, a := range window {
		v, ok := a.Get(s.KnobID)
		if !ok {
			return false
		}
		s.Low, s.High = math.Min(s.Low, v), math.Max(s.High, v)
	}
	s.Moved = s.High-s.Low > tolerance
	return true
}
