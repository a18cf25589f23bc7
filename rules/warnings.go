package rules

import (
	"fmt"
	"math"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
)

// warn collects what is allowed but unwise.
func (m *Mesh) warn() Problems {
	var out Problems
	add := func(key, message, hint string) { out = append(out, m.doc.Problem(key, message, hint)) }
	m.warnTimes(add)
	for i, s := range m.Services {
		m.warnService(s, index("service", i), add)
	}
	for i, b := range m.Budgets {
		if !m.shares(b.Name) {
			add(index("budget", i), fmt.Sprintf("nothing shares the budget %q", b.Name), fmt.Sprintf("write budget = %q in the objectives that do, in place of their targets", b.Name))
		}
	}
	m.warnCap(add)
	m.warnSplit(add)
	active := false
	for _, p := range m.Policies {
		active = active || p.Role == RoleActive
	}
	if m.Guard.Authority != AuthorityObserve && !active {
		add("guard.authority", fmt.Sprintf("is %s, but no policy is active", m.Guard.Authority), `give a [[policy]] the role "active"`)
	}
	return out
}

// warnTimes holds the durations of the file against the interval: together they are
// the delay from an action to its measured outcome.
func (m *Mesh) warnTimes(add func(key, message, hint string)) {
	if m.Settle >= m.Interval {
		add("settle", fmt.Sprintf("%v is not shorter than the interval of %v", m.Settle, m.Interval),
			"an action's effect is then seen one interval late: lower settle or raise interval")
	}
	if m.Interval < m.ScrapeInterval {
		add("interval", fmt.Sprintf("%s is shorter than the scrape interval of %s", model.Duration(m.Interval), model.Duration(m.ScrapeInterval)),
			"a cycle without new samples is no interval, so that windvane holds in it: raise interval, or scrape more often")
	}
	m.warnCooldown(add)
	for _, q := range m.Queries() {
		longest, shortest := q.ranges()
		if longest > m.Interval {
			add(q.key, fmt.Sprintf("looks back %s, longer than the interval of %s", model.Duration(longest), model.Duration(m.Interval)),
				"it still sees what was before the last action: shorten the range or raise interval")
		}
		if shortest > 0 && shortest < 2*m.ScrapeInterval {
			add(q.key, fmt.Sprintf("looks back %s, less than two scrape intervals of %s", model.Duration(shortest), model.Duration(m.ScrapeInterval)),
				"functions such as rate() need two samples: lengthen the range, or scrape more often")
		}
	}
}

// warnCooldown holds the cooldown against the times that it has to cover.
func (m *Mesh) warnCooldown(add func(key, message, hint string)) {
	d, given := m.Delay(), m.Guard.Cooldown
	least := d.Settle + d.LookBack
	if m.Guard.CooldownGiven && given < least {
		add("guard.cooldown", fmt.Sprintf("%s is shorter than the %s that settle and the signals' look-back take", model.Duration(given), model.Duration(least)),
			"the next change is then decided on what was before the last one, and their effects cannot be told apart: raise it, or leave it out")
	}
	if given <= m.Interval || len(m.Knobs()) == 0 {
		return
	}
	cycles := "1 cycle"
	if n := (given - 1) / m.Interval; n > 1 {
		cycles = fmt.Sprintf("%d cycles", n)
	}
	if after := "after a change, only raising blocking is admitted for " + cycles; m.Guard.CooldownGiven {
		add("guard.cooldown", fmt.Sprintf("%s is longer than the interval of %s: %s", model.Duration(given), model.Duration(m.Interval), after), "lower it, or raise interval")
	} else {
		add("interval", fmt.Sprintf("%s is shorter than the cooldown of %s, of settle and look-back: %s", model.Duration(m.Interval), model.Duration(given), after),
			fmt.Sprintf("raise interval to %s, or shorten settle and the ranges of the signals", model.Duration(given)))
	}
}

func (m *Mesh) warnService(s Service, key string, add func(key, message, hint string)) {
	for j, o := range s.Objectives {
		m.warnTarget(o, index(key+".objective", j), add)
	}
	if s.Blocking != nil && s.Blocking.Status == 503 {
		add(key+".blocking.status", "503 may be retried by callers", "use 429, which is not")
	}
	if s.Blocking != nil && len(s.Routes) == 0 {
		add(key+".blocking", "the service has no route on which requests could be blocked in Istio", "add a [[service.route]]")
	}
	if s.Blocking == nil && s.MinimumCarried > 0 {
		add(key+".minimum_carried", "limits nothing, because the service is never blocked", "add [service.blocking], or remove it")
	}
	switch {
	case len(s.Objectives) == 0:
		if _, ok := m.queryFor(s, string(policy.RoleLatency)); !ok {
			add(key, "has neither an objective nor a signal latency", "nothing will show what an action does to it")
		}
	case s.Blocking != nil || len(m.Workloads) > 0:
	case len(s.Routes) == 0:
		add(key, "has an objective, but nothing that could be set to keep it", "add a [[service.route]] and [service.blocking]; without, it is watched only")
	default:
		add(key, "has an objective, but no [service.blocking]", "load beyond what its routes can carry breaks the objective, and nothing can be done about it")
	}
	if _, ok := m.queryFor(s, string(policy.RoleCarried)); !ok {
		add(key, "has no signal carried", "without it nobody can tell whether blocking took effect")
	}
}

// fineTarget is the highest target that single intervals can be steered by.
const fineTarget = .99

// warnTarget says how few bad intervals an objective allows in its window.
func (m *Mesh) warnTarget(o Objective, key string, add func(key, message, hint string)) {
	n := math.Floor(float64(o.Window) / float64(max(m.Interval, m.ScrapeInterval))) // without a sample there is no interval
	allowed := o.Budget() * n
	if o.Target <= fineTarget && allowed >= 1 {
		return
	}
	message := fmt.Sprintf("%v allows %s bad intervals of the %.0f in a window of %s", o.Target, few(allowed), n, model.Duration(o.Window))
	if o.Shared != "" {
		add(key+".budget", fmt.Sprintf("its part of budget %q is a target of %s: it allows %s bad intervals of the %.0f in a window of %s",
			o.Shared, strconv.FormatFloat(o.Target, 'g', 5, 64), few(allowed), n, model.Duration(o.Window)),
			"lower the budget's target, lengthen its window, or let fewer objectives share it")
		return
	}
	if o.Target > fineTarget {
		add(key+".target", message, "so small a budget cannot be steered by single intervals; up to 0.99 is realistic")
		return
	}
	add(key+".window", message, "one bad interval overspends it: lengthen the window, or shorten the interval")
}

// few writes a number to two digits, or whole.
func few(v float64) string {
	if v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// warnCap says when the cap on total blocking keeps the services from being blocked
// as far as they may be when all are overloaded. What all refuse together is a mean of
// what each refuses, so that it is no less than the least maximum.
func (m *Mesh) warnCap(add func(key, message, hint string)) {
	least := math.Inf(1)
	for _, s := range m.Services {
		if s.Blocking != nil {
			least = math.Min(least, s.Blocking.Maximum)
		}
	}
	most := m.Guard.TotalBlocking
	if math.IsInf(least, 1) || most >= least {
		return
	}
	hint := fmt.Sprintf("raise it to %v, or lower blocking.maximum", least)
	if most == 0 {
		add("guard.total_blocking", "0 forbids all blocking, so that no overload can be shed", hint)
		return
	}
	add("guard.total_blocking", fmt.Sprintf("%v keeps services that are overloaded together below their blocking.maximum of %v: "+
		"beyond %s times the load at which the objectives hold, no error budget can be kept", most, least, few(1/(1-most))), hint)
}
