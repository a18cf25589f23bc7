package lifecycle

import (
	"cmp"
	"math"

	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// chance is how often the requests of an interval may be taken not to be of their true level.
const chance = .05

// window holds the intervals around the one whose settings are told next.
type window struct {
	*collection
	metrics recorded
	around  []candidate
	middle  int // as many are before it, and after it
	held    int
	seconds float64                       // of the requests behind a signal
	service map[policy.KnobID]string      // whose requests show the knob
	signals map[policy.KnobID]string      // the signal that does
	role    map[policy.KnobID]policy.Role // of the signal that counts these requests
}

func newWindow(c *collection) *window {
	beside := reach(c.o.Rules)
	w := &window{
		collection: c, metrics: newRecorded(c.o.Rules), around: make([]candidate, 2*beside+1), middle: beside, seconds: verify.Seconds(c.o.Rules),
		service: map[policy.KnobID]string{}, signals: map[policy.KnobID]string{}, role: map[policy.KnobID]policy.Role{},
	}
	for _, s := range c.o.Rules.Services {
		if s.Blocking != nil {
			id := policy.KnobID{Kind: policy.Blocking, Target: s.Name}
			w.service[id], w.signals[id], w.role[id] = s.Name, rules.SignalBlocked, policy.RoleOffered
		}
		route, ok := s.SplitRoute()
		if !ok {
			continue // a mixture of several routes
		}
		for _, d := range route.Destinations {
			id := policy.KnobID{Kind: policy.Weight, Target: route.VirtualService + "/" + route.HTTP, Part: d}
			w.service[id], w.signals[id], w.role[id] = s.Name, rules.SplitSignal(d), policy.RoleCarried
		}
	}
	return w
}

// push takes the next interval, and adds the one in the middle of the window. The first and
// the last ones are never added: they are those beside what was asked for.
func (w *window) push(x candidate) error {
	copy(w.around, w.around[1:])
	w.around[len(w.around)-1] = x
	if w.held++; w.held < len(w.around) {
		return nil
	}
	middle := &w.around[w.middle]
	if !middle.journalled {
		w.settle(middle)
	}
	return w.add(middle.interval)
}

// settle tells the settings of an interval of which the journal has none, knob by knob.
func (w *window) settle(x *candidate) {
	action := make(policy.Action, len(w.knobs))
	x.source = FromRecorded
	for i, k := range w.knobs {
		v, why := w.metrics.setting(k, x.told[i])
		if why == Unknown {
			if v, why = w.level(k); why == "" {
				x.source = FromShares
			}
		}
		if why != "" {
			x.why = why
			return
		}
		action[i] = policy.Setting{KnobID: k.KnobID, Value: v}
	}
	if x.source == FromShares && action.Validate(w.knobs) != nil {
		x.why = Ambiguous // weights that do not sum to 1
		return
	}
	x.settings = action
}

// level is the only level of a knob that explains the requests in the middle of the window,
// those before, those after, and all of them together. More than one does where they are few.
func (w *window) level(k policy.Knob) (float64, Reason) {
	var groups [4]struct{ went, requests float64 }
	for i := range w.around {
		share, requests, ok := w.share(w.around[i].state, k.KnobID)
		if !ok {
			return 0, Unknown
		}
		for _, g := range []int{1 + cmp.Compare(i, w.middle), 3} {
			groups[g].went += share * requests
			groups[g].requests += requests
		}
	}
	found, value := 0, 0.0
	for l := range k.Levels {
		explains := true
		for _, g := range groups {
			explains = explains && verify.Explains(k.Value(l), g.went/g.requests, g.requests, chance)
		}
		if explains {
			found, value = found+1, k.Value(l)
		}
	}
	if found != 1 {
		return 0, Ambiguous
	}
	return value, ""
}

// share is which share of so many requests went as a knob has it.
func (w *window) share(s policy.State, id policy.KnobID) (share, requests float64, ok bool) {
	service := w.service[id]
	rate, known := s.Role(service, w.role[id]).Get()
	share, seen := s.Find(service, w.signals[id]).Get()
	if !seen && id.Kind == policy.Weight {
		share, seen = w.rest(s, id)
	}
	requests = rate * w.seconds
	return share, requests, known && seen && requests > 0 && share >= 0 && share <= 1
}

// rest is the share of a version that has no requests: the others have all of them.
func (w *window) rest(s policy.State, id policy.KnobID) (float64, bool) {
	sum := 0.0
	for other, signal := range w.signals {
		if other.Kind == policy.Weight && other.Target == id.Target && other.Part != id.Part {
			v, _ := s.Find(w.service[id], signal).Get()
			sum += v
		}
	}
	return 0, math.Abs(sum-1) < 1e-9
}
