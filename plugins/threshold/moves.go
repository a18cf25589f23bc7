package threshold

import (
	"cmp"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// tiny is a change that is not worth making.
const tiny = 1e-9

// scaleUp adds one replica to every workload that has room: nothing says which
// of them is short. Load is shed in the same cycle, because a pod takes longer to
// start than a bound may be exceeded.
func (c *cycle) scaleUp() {
	for _, k := range c.o.Knobs {
		if k.Kind != policy.Replicas {
			continue
		}
		if v, _ := c.action.Get(k.KnobID); v+1 <= k.Max {
			c.set(k.KnobID, v+1)
		}
	}
}

// scaleDown takes one replica from the workload whose replicas cost most, once no
// load is refused any more.
func (c *cycle) scaleDown() {
	var dearest *policy.Knob
	for i, k := range c.o.Knobs {
		v, _ := c.action.Get(k.KnobID)
		if k.Kind == policy.Blocking && v > k.Min+tiny {
			return
		}
		if k.Kind != policy.Replicas || v-1 < k.Min {
			continue
		}
		if dearest == nil || k.Cost > dearest.Cost {
			dearest = &c.o.Knobs[i]
		}
	}
	if dearest != nil {
		v, _ := c.action.Get(dearest.KnobID)
		c.set(dearest.KnobID, v-1)
	}
}

// blockable is a service whose load may be refused.
type blockable struct {
	policy.Service
	knob  policy.Knob
	at    int      // of its blocking in actions
	parts []string // destinations of its routes
}

// shed raises blocking by raise_step for each service above its bound: first that
// of the least valuable service that shares a destination with it, the service
// itself last among equals, and the next one with what is left of the step. What
// was raised for one service counts for the others that share it.
func (c *cycle) shed() {
	all := c.blockables()
	total, blocked := c.blocked()
	for _, service := range c.over {
		candidates := candidates(all, service, c.parts(service))
		left := c.settings.RaiseStep
		for _, s := range candidates {
			left -= c.action[s.at].Value - c.o.Live[s.at].Value // raised by this cycle
		}
		for _, s := range candidates {
			if left <= tiny {
				break
			}
			if d := math.Min(left, c.room(s, total, blocked)); d > tiny {
				left -= d
				c.set(s.knob.KnobID, math.Min(c.action[s.at].Value+d, s.knob.Max))
				_, blocked = c.blocked()
			}
		}
	}
}

// blockables are all of them, the least valuable first, and among equals those above their
// bound last.
func (c *cycle) blockables() []blockable {
	at, parts := map[string]int{}, map[string][]string{}
	for i, k := range c.o.Knobs {
		switch k.Kind {
		case policy.Blocking:
			at[k.Target] = i
		case policy.Weight:
			parts[k.Service] = append(parts[k.Service], k.Part)
		case policy.Replicas:
		}
	}
	var out []blockable
	for _, s := range c.o.Services {
		if i, ok := at[s.Name]; ok {
			out = append(out, blockable{s, c.o.Knobs[i], i, parts[s.Name]})
		}
	}
	slices.SortStableFunc(out, func(a, b blockable) int {
		if v := cmp.Compare(a.Value, b.Value); v != 0 {
			return v
		}
		return cmp.Compare(c.rank(a.Name), c.rank(b.Name))
	})
	return out
}

// parts are the destinations of a service.
func (c *cycle) parts(service string) map[string]bool {
	out := map[string]bool{}
	for _, k := range c.o.Knobs {
		if k.Kind == policy.Weight && k.Service == service {
			out[k.Part] = true
		}
	}
	return out
}

// candidates are those whose load may be refused for the sake of one service.
func candidates(all []blockable, service string, parts map[string]bool) []blockable {
	var out []blockable
	for _, s := range all {
		if s.Name == service || slices.ContainsFunc(s.parts, func(p string) bool { return parts[p] }) {
			out = append(out, s)
		}
	}
	return out
}

// rank puts services above their bound after others of the same value.
func (c *cycle) rank(service string) int {
	if c.why[service] != "" {
		return 1
	}
	return 0
}

// room is how much a service's blocking may still be raised: within its knob's
// range, above its floor, and under the cap on all blocking, of which total and blocked
// are what blocked returns. It is 0 for a service that nothing is offered to, and where a
// floor cannot be checked.
func (c *cycle) room(s blockable, total, blocked float64) float64 {
	v := c.action[s.at].Value
	room := s.knob.Max - v
	offered, ok := guard.Offered(c.o, s.Name)
	if ok && offered == 0 || s.Floor > 0 && !ok {
		return 0
	}
	if s.Floor > 0 {
		room = math.Min(room, 1-s.Floor/offered-v)
	}
	room = math.Min(room, (c.o.Limits.TotalBlocking*total-blocked)/guard.Weight(c.o, s.Name))
	if !(room > 0) { // NaN, too
		return 0
	}
	return room
}

// blocked is all that counts in the cap on blocking, and how much of it is blocked.
func (c *cycle) blocked() (total, blocked float64) {
	for i, k := range c.o.Knobs {
		if k.Kind == policy.Blocking {
			w := guard.Weight(c.o, k.Service)
			total += w
			blocked += w * c.action[i].Value
		}
	}
	return total, blocked
}

// restore takes back restore_step of blocking, of the most valuable service
// first. It reports whether it changed anything.
func (c *cycle) restore() bool {
	services := slices.Clone(c.o.Services)
	slices.SortStableFunc(services, func(a, b policy.Service) int { return cmp.Compare(b.Value, a.Value) })
	left := math.Min(c.settings.RestoreStep, c.o.Limits.MaxStep)
	for _, s := range services {
		k, ok := c.blocking[s.Name]
		if !ok || !(left > tiny) {
			continue
		}
		v, _ := c.action.Get(k.KnobID)
		if d := math.Min(left, v-k.Min); d > tiny {
			left -= d
			c.set(k.KnobID, math.Max(v-d, k.Min))
		}
	}
	return len(c.moves) > 0
}
