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

// shed raises blocking by raise_step for each service above its bound: first that
// of the least valuable service that shares a destination with it, the service
// itself last among equals, and the next one with what is left of the step. What
// was raised for one service counts for the others that share it.
func (c *cycle) shed() {
	for _, service := range c.over {
		candidates := c.candidates(service)
		left := c.settings.RaiseStep
		for _, s := range candidates {
			left -= c.raised(s.Name)
		}
		for _, s := range candidates {
			if left <= tiny {
				break
			}
			if d := math.Min(left, c.room(s)); d > tiny {
				left -= d
				id := c.blocking[s.Name].KnobID
				v, _ := c.action.Get(id)
				c.set(id, math.Min(v+d, c.blocking[s.Name].Max))
			}
		}
	}
}

// candidates are the services whose load may be refused for the sake of one.
func (c *cycle) candidates(service string) []policy.Service {
	parts := map[string]bool{}
	for _, k := range c.o.Knobs {
		if k.Kind == policy.Weight && k.Service == service {
			parts[k.Part] = true
		}
	}
	shares := map[string]bool{service: true}
	for _, k := range c.o.Knobs {
		if k.Kind == policy.Weight && parts[k.Part] {
			shares[k.Service] = true
		}
	}
	var out []policy.Service
	for _, s := range c.o.Services {
		if _, ok := c.blocking[s.Name]; ok && shares[s.Name] {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b policy.Service) int {
		if v := cmp.Compare(a.Value, b.Value); v != 0 {
			return v
		}
		return cmp.Compare(c.rank(a.Name), c.rank(b.Name))
	})
	return out
}

// rank puts services above their bound after others of the same value.
func (c *cycle) rank(service string) int {
	if c.why[service] != "" {
		return 1
	}
	return 0
}

// raised is how much of a service's blocking this cycle has added.
func (c *cycle) raised(service string) float64 {
	id := c.blocking[service].KnobID
	live, _ := c.o.Live.Get(id)
	v, _ := c.action.Get(id)
	return v - live
}

// room is how much a service's blocking may still be raised: within its knob's
// range, above its floor, and under the cap on all blocking. It is 0 for a service
// that nothing is offered to, and where a floor cannot be checked.
func (c *cycle) room(s policy.Service) float64 {
	k := c.blocking[s.Name]
	v, _ := c.action.Get(k.KnobID)
	room := k.Max - v
	offered, ok := guard.Offered(c.o, s.Name)
	if ok && offered == 0 || s.Floor > 0 && !ok {
		return 0
	}
	if s.Floor > 0 {
		room = math.Min(room, 1-s.Floor/offered-v)
	}
	total, blocked := 0.0, 0.0
	for _, knob := range c.o.Knobs {
		if knob.Kind == policy.Blocking {
			b, _ := c.action.Get(knob.KnobID)
			w := guard.Weight(c.o, knob.Service)
			total += w
			blocked += w * b
		}
	}
	room = math.Min(room, (c.o.Limits.TotalBlocking*total-blocked)/guard.Weight(c.o, s.Name))
	if !(room > 0) { // NaN, too
		return 0
	}
	return room
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
