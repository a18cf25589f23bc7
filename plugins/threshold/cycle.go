package threshold

import (
	"fmt"
	"math"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// cycle is what one Decide knows and does.
type cycle struct {
	settings Settings
	o        policy.Observation
	action   policy.Action // the live one, changed by the rules
	blocking map[string]policy.Knob

	promised bool     // some service has an objective
	over     []string // services above a bound, in the order of the observation
	why      map[string]string
	unknown  string // the first objective's signal that is not valid, with its status; empty if there is none
	low      bool   // every measured service is below restore_below of its bound
	quiet    bool   // every measured service is below half of its bound
	moves    []string
}

func newCycle(s Settings, o policy.Observation) *cycle {
	c := &cycle{
		settings: s, o: o, action: o.Live.Clone(), blocking: map[string]policy.Knob{},
		why: map[string]string{}, low: true, quiet: true,
	}
	for _, k := range o.Knobs {
		if k.Kind == policy.Blocking {
			c.blocking[k.Target] = k
		}
	}
	for _, service := range o.Services {
		c.judge(service)
	}
	return c
}

// judge compares what was measured of a service with what was promised.
func (c *cycle) judge(s policy.Service) {
	for _, objective := range s.Objectives {
		c.promised = true
		signal := c.o.State.Find(s.Name, objective.Signal)
		v, ok := signal.Get()
		bound := objective.Bound
		if objective.Kind == policy.RatioObjective {
			bound = objective.Budget
		}
		switch {
		case !ok && c.idle(s.Name):
		case !ok || !finite(v) || !(bound > 0) || math.IsInf(bound, 1):
			if c.unknown == "" {
				c.unknown = fmt.Sprintf("%s of %s is %s", objective.Signal, s.Name, describe(signal))
			}
		case v > bound:
			if c.why[s.Name] == "" {
				c.over = append(c.over, s.Name)
				c.why[s.Name] = fmt.Sprintf("%s of %s is %.4g, above %.4g", objective.Signal, s.Name, v, bound)
			}
		default:
			c.low = c.low && v <= c.settings.RestoreBelow*bound
			c.quiet = c.quiet && v <= bound/2
		}
	}
}

// idle reports whether a service has nothing to measure because nothing is
// offered, or because all of it is blocked. Without it a service that was blocked
// entirely could never be restored. Load that is admitted and not carried is
// something else: an outage.
func (c *cycle) idle(service string) bool {
	carried, ok := c.o.State.Role(service, policy.RoleCarried).Get()
	if !ok || carried != 0 {
		return false
	}
	if offered, ok := c.o.State.Role(service, policy.RoleOffered).Get(); ok && offered == 0 {
		return true
	}
	blocked, ok := c.o.Live.Get(c.blocking[service].KnobID)
	return ok && blocked >= 1
}

// set changes a setting and notes it for the reason.
func (c *cycle) set(id policy.KnobID, to float64) {
	from, _ := c.action.Get(id)
	c.action.Set(id, to)
	c.moves = append(c.moves, fmt.Sprintf("%s of %s from %.4g to %.4g", id.Kind, id.Target, from, to))
}

// reason is the sentence for a person.
func (c *cycle) reason() string {
	var why, what string
	switch {
	case len(c.over) > 0:
		var parts []string
		for _, s := range c.over {
			parts = append(parts, c.why[s])
		}
		why, what = list(parts), "but nothing may be raised further within the limits"
	case !c.promised:
		why, what = "no service has an objective", "hold"
	case c.unknown != "":
		why, what = c.unknown, "hold, and loosen nothing"
	case !c.low:
		why = fmt.Sprintf("every service is within its bound, but not all are below %.4g of it", c.settings.RestoreBelow)
		what = "hold"
	case c.quiet:
		why, what = "every service is below half of its bound", "nothing is left to restore"
	default:
		why, what = fmt.Sprintf("every service is below %.4g of its bound", c.settings.RestoreBelow), "nothing is left to restore"
	}
	switch {
	case len(c.moves) > 0:
		what = list(c.moves)
	case c.o.Limits.Frozen != "" && len(c.over) == 0:
		what = "hold, as only blocking may be raised now"
	}
	return why + ": " + what
}

// list joins the first few parts and counts the others.
func list(parts []string) string {
	const most = 4
	if len(parts) <= most {
		return strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(parts[:most], ", "), len(parts)-most)
}

func describe(s policy.Signal) string {
	if s.Status != policy.Valid {
		return s.Status.String()
	}
	return "not comparable with its bound"
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
