// Package guard holds the limits that no policy can widen: bounds, steps, the cap
// on total blocking, floors, the pace of changes, and the hold when data are missing.
//
// It is pure: the same code guards the mesh and every simulated run. It edits a
// policy's action or refuses it, each with a reason code. Raising blocking is
// protection, so it is never delayed by the step or the pace. Bounds, floors and the cap
// hold always, so that they may lower blocking where the pace admits no change. What may
// not live here: anything that needs a clock, a model or a network.
package guard

import (
	"math"
	"slices"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// Reason is why the guard changed or refused something.
type Reason string

// The reasons for edits and refusals.
const (
	NoData        Reason = "no_data"        // a signal that an objective needs is missing, stale or invalid: hold
	Malformed     Reason = "malformed"      // not finite, knobs missing, or weights that do not sum to 1: live value kept
	Bounds        Reason = "bounds"         // outside the knob's range: clamped
	Step          Reason = "step"           // more than max_step in one cycle: shortened
	TotalBlocking Reason = "total_blocking" // more of all offered load refused than total_blocking: scaled down
	Floor         Reason = "floor"          // would carry less than minimum_carried: lowered
	Cooldown      Reason = "cooldown"       // too soon after the last change: live value kept
	ChangeBudget  Reason = "change_budget"  // changes_per_hour are made: live value kept
	Freeze        Reason = "freeze"         // in a freeze window: live value kept
	BackOff       Reason = "back_off"       // the mesh did not follow a change: live value kept
	Outage        Reason = "outage"         // nothing of what is admitted is carried, so that an objective is not measured: not lowered
)

// Sentence explains a reason to a person.
func (r Reason) Sentence() string {
	switch r {
	case NoData:
		return "a signal that an objective needs is missing, stale or invalid, so nothing is changed"
	case Malformed:
		return "the policy's value was not usable, so the live one is kept"
	case Bounds:
		return "outside the knob's range"
	case Step:
		return "a larger step than max_step allows in one cycle"
	case TotalBlocking:
		return "would refuse more of the offered load than total_blocking allows"
	case Floor:
		return "would carry less than the service's minimum_carried"
	case Cooldown:
		return "the effect of the last change is not measured in full yet; only raising blocking does not wait for it"
	case ChangeBudget:
		return "as many changes were made in the last hour as changes_per_hour allows; only raising blocking is not counted"
	case BackOff:
		return "a service did not follow its last change, which is tried again later; only raising blocking does not wait"
	case Outage:
		return "nothing of what is admitted is carried, so that its objective cannot be measured; only raising blocking does not wait for that"
	case Freeze:
		return "a freeze window of the rules file admits nothing but raising blocking"
	default:
		return string(r)
	}
}

// Edit is one change that the guard made to what the policy wanted.
type Edit struct {
	Reason Reason `json:"reason"`
	policy.KnobID
	From float64 `json:"from"` // wanted; the live value where the wanted one was not finite
	To   float64 `json:"to"`
}

// Result is what may be done.
type Result struct {
	Action  policy.Action
	Edits   []Edit
	Refused Reason // not empty: hold the live action
	Detail  string // of a refusal: which service and signal
}

// Check limits what a policy wants. The observation's live action must be within
// the knobs' ranges, as an actuator reads it. The result's action always is
// within them, with weights that sum to 1, and checking it again changes nothing: there
// are no edits then.
func Check(o policy.Observation, want policy.Action) Result {
	if detail := missing(o); detail != "" {
		return Result{Action: o.Live.Clone(), Refused: NoData, Detail: detail}
	}
	return Limit(o, want)
}

// Limit is Check without the hold on missing data: what a policy that plans may
// use to stay within the limits.
func Limit(o policy.Observation, want policy.Action) Result {
	r := Result{Action: o.Live.Clone()}
	for i := 0; i < len(o.Knobs); {
		k := o.Knobs[i]
		j := i + 1
		switch k.Kind {
		case policy.Weight:
			for j < len(o.Knobs) && o.Knobs[j].Kind == policy.Weight && o.Knobs[j].Target == k.Target {
				j++
			}
			r.weights(o, want, o.Knobs[i:j])
		case policy.Blocking:
			r.blocking(o, want, k)
		case policy.Replicas:
			r.replicas(o, want, k)
		}
		i = j
	}
	r.capTotal(o)
	for i := range r.Action {
		if r.Action[i].Value == 0 {
			r.Action[i].Value = 0 // not the negative one
		}
	}
	r.Edits = slices.DeleteFunc(r.Edits, func(e Edit) bool {
		// What one limit changed, another took back: the step and the cap, where more is
		// blocked than the cap allows.
		w, ok := want.Get(e.KnobID)
		v, _ := r.Action.Get(e.KnobID)
		return ok && e.Reason != Malformed && math.Abs(v-w) <= slack
	})
	return r
}

// Shed returns the answer that trusts no model: the live action with the blocking of
// some services, by their position, at its maximum, as far as the limits allow.
func Shed(o policy.Observation, services []int) policy.Action {
	a := o.Live.Clone()
	for _, s := range services {
		for _, k := range o.Knobs {
			if k.Kind == policy.Blocking && k.Service == o.Services[s].Name {
				a.Set(k.KnobID, k.Max)
			}
		}
	}
	return Limit(o, a).Action
}

// missing names the first signal that an objective needs and that is not valid.
// A service without traffic has no latency, and is no reason to hold.
func missing(o policy.Observation) string {
	for _, s := range o.Services {
		offered := o.State.Role(s.Name, policy.RoleOffered)
		carried := o.State.Role(s.Name, policy.RoleCarried)
		if offered.Name != "" && offered.Status != policy.Valid {
			return s.Name + ": " + offered.Name + " is " + offered.Status.String()
		}
		if v, ok := carried.Get(); ok && v == 0 {
			continue
		}
		for _, obj := range s.Objectives {
			if sig := o.State.Find(s.Name, obj.Signal); sig.Status != policy.Valid {
				return s.Name + ": " + obj.Signal + " is " + sig.Status.String()
			}
		}
	}
	return ""
}

func (r *Result) set(reason Reason, id policy.KnobID, from, to float64) {
	if math.IsNaN(from) || math.IsInf(from, 0) {
		from, _ = r.Action.Get(id)
	}
	r.Action.Set(id, to)
	r.Edits = append(r.Edits, Edit{Reason: reason, KnobID: id, From: from, To: to})
}

// weights moves a target's weights towards the wanted ones, all by the same
// fraction, so that they keep their sum.
func (r *Result) weights(o policy.Observation, want policy.Action, knobs []policy.Knob) {
	sum, far := 0.0, 0.0
	for _, k := range knobs {
		live, _ := o.Live.Get(k.KnobID)
		w, ok := want.Get(k.KnobID)
		if !ok || !(w >= k.Min && w <= k.Max) {
			r.Edits = append(r.Edits, Edit{Reason: Malformed, KnobID: k.KnobID, From: live, To: live})
			return
		}
		sum += w
		far = math.Max(far, math.Abs(w-live))
	}
	if math.Abs(sum-1) > policy.WeightTolerance {
		live, _ := o.Live.Get(knobs[0].KnobID)
		r.Edits = append(r.Edits, Edit{Reason: Malformed, KnobID: knobs[0].KnobID, From: live, To: live})
		return
	}
	part, reason := 1.0, Step
	switch {
	case o.Limits.Frozen != "":
		part, reason = 0, Reason(o.Limits.Frozen)
	case far > o.Limits.MaxStep+slack:
		part = o.Limits.MaxStep / far
	}
	for _, k := range knobs {
		live, _ := o.Live.Get(k.KnobID)
		w, _ := want.Get(k.KnobID)
		if part < 1 && w != live {
			r.set(reason, k.KnobID, w, live+part*(w-live))
		} else {
			r.Action.Set(k.KnobID, w)
		}
	}
}

// slack absorbs rounding, so that a checked action passes again unchanged.
const slack = 1e-9

func (r *Result) blocking(o policy.Observation, want policy.Action, k policy.Knob) {
	live, _ := o.Live.Get(k.KnobID)
	w, ok := want.Get(k.KnobID)
	if !ok || math.IsNaN(w) || math.IsInf(w, 0) {
		w = live
		r.Edits = append(r.Edits, Edit{Reason: Malformed, KnobID: k.KnobID, From: live, To: live})
	}
	r.Action.Set(k.KnobID, w)
	if c := math.Max(k.Min, math.Min(k.Max, w)); c != w {
		r.set(Bounds, k.KnobID, w, c)
		w = c
	}
	if low := lowest(o, k); w < low-slack {
		reason := Step
		switch {
		case o.Limits.Frozen != "":
			reason = Reason(o.Limits.Frozen)
		case outage(o, k.Service, live):
			reason = Outage
		}
		r.set(reason, k.KnobID, w, low)
		w = low
	}
	if most, ok := floorBlocking(o, k.Service); ok && w > most+slack {
		most = math.Max(k.Min, most)
		r.set(Floor, k.KnobID, w, most)
	}
}

// lowest is the least blocking that one step down from live allows, or none where
// nothing is to be lowered; a floor wins over both.
func lowest(o policy.Observation, k policy.Knob) float64 {
	low, _ := o.Live.Get(k.KnobID)
	if o.Limits.Frozen == "" && !outage(o, k.Service, low) {
		low -= o.Limits.MaxStep
	}
	low = math.Min(k.Max, low)
	if most, ok := floorBlocking(o, k.Service); ok {
		low = math.Min(low, most)
	}
	return math.Max(k.Min, low)
}

// outage reports whether a service admits load, carries nothing of it, and so has an
// objective that is not measured. A hold of the mesh would keep others from shedding, and a
// service of few requests looks like that now and then; but nothing says that it is well.
func outage(o policy.Observation, service string, live float64) bool {
	if carried, ok := o.State.Role(service, policy.RoleCarried).Get(); !ok || carried != 0 || live >= 1 {
		return false
	}
	if offered, ok := Offered(o, service); ok && offered == 0 {
		return false
	}
	i, ok := find(o, service)
	return ok && slices.ContainsFunc(o.Services[i].Objectives, func(obj policy.Objective) bool {
		return o.State.Find(service, obj.Signal).Status != policy.Valid
	})
}

// find returns the position of a service.
func find(o policy.Observation, service string) (int, bool) {
	return slices.BinarySearchFunc(o.Services, service, func(s policy.Service, name string) int { return strings.Compare(s.Name, name) })
}

// floorBlocking is the blocking at which a service still carries its floor.
func floorBlocking(o policy.Observation, service string) (float64, bool) {
	i, ok := find(o, service)
	if !ok || o.Services[i].Floor <= 0 {
		return 0, false
	}
	offered, ok := Offered(o, service)
	if !ok || offered == 0 {
		return 0, false
	}
	return math.Max(0, 1-o.Services[i].Floor/offered), true
}

func (r *Result) replicas(o policy.Observation, want policy.Action, k policy.Knob) {
	live, _ := o.Live.Get(k.KnobID)
	w, ok := want.Get(k.KnobID)
	if !ok || math.IsNaN(w) || math.IsInf(w, 0) {
		r.Edits = append(r.Edits, Edit{Reason: Malformed, KnobID: k.KnobID, From: live, To: live})
		return
	}
	c := math.Round(math.Max(k.Min, math.Min(k.Max, w)))
	switch {
	case o.Limits.Frozen != "" && c != live:
		r.set(Reason(o.Limits.Frozen), k.KnobID, w, live)
	case c != w:
		r.set(Bounds, k.KnobID, w, c)
	default:
		r.Action.Set(k.KnobID, c)
	}
}

// Offered returns the offered load of a service, and whether it is one: a signal
// may be valid and still no rate, where a query computes it.
func Offered(o policy.Observation, service string) (float64, bool) {
	v, ok := o.State.Role(service, policy.RoleOffered).Get()
	if !ok || !(v >= 0) || math.IsInf(v, 1) {
		return 0, false
	}
	return v, true
}

// Weight is what the blocking of a service counts in the cap on total blocking: its
// offered load. Where that is not known it is one request a second, so that the cap
// holds for the service too; it is bounded, so that sums of weights are finite. A
// policy that keeps to the cap has to count the same.
func Weight(o policy.Observation, service string) float64 {
	const most = 1e15 // requests/s
	if v, ok := Offered(o, service); ok {
		return math.Min(v, most)
	}
	return 1
}

// capTotal lowers blocking where more of the offered load would be refused than
// the cap allows: first what goes beyond the lowest that one cycle may reach, all services by
// the same fraction of it; then, where that is not enough, all of it.
func (r *Result) capTotal(o policy.Observation) {
	total, blocked, least := 0.0, 0.0, 0.0
	for _, k := range o.Knobs {
		if k.Kind == policy.Blocking {
			b, _ := r.Action.Get(k.KnobID)
			w := Weight(o, k.Service)
			total += w
			blocked += w * b
			least += w * lowest(o, k)
		}
	}
	most := o.Limits.TotalBlocking * total
	if total <= 0 || blocked <= most*(1+slack) {
		return
	}
	for _, k := range o.Knobs {
		if k.Kind != policy.Blocking {
			continue
		}
		b, _ := r.Action.Get(k.KnobID)
		low := lowest(o, k)
		var to float64
		if least > most {
			to = low * most / least
		} else {
			to = low + (b-low)*(most-least)/(blocked-least)
		}
		if to = math.Max(k.Min, to); to != b {
			r.set(TotalBlocking, k.KnobID, b, to)
		}
	}
}
