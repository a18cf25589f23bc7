package rules

import (
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
)

// warn collects what is allowed but unwise.
func (m *Mesh) warn() Problems {
	var out Problems
	add := func(key, message, hint string) { out = append(out, m.doc.Problem(key, message, hint)) }
	if m.Settle >= m.Interval {
		add("settle", fmt.Sprintf("%v is not shorter than the interval of %v", m.Settle, m.Interval),
			"an action's effect is then seen one interval late: lower settle or raise interval")
	}
	for _, q := range m.Queries() {
		if back := q.lookBack(); back > m.Interval {
			add(q.key, fmt.Sprintf("looks back %s, longer than the interval of %s", model.Duration(back), model.Duration(m.Interval)),
				"it still sees what was before the last action: shorten the range or raise interval")
		}
	}
	for i, s := range m.Services {
		m.warnService(s, index("service", i), add)
	}
	active := false
	for _, p := range m.Policies {
		active = active || p.Role == RoleActive
	}
	if m.Guard.Authority != AuthorityObserve && !active {
		add("guard.authority", fmt.Sprintf("is %s, but no policy is active", m.Guard.Authority), `give a [[policy]] the role "active"`)
	}
	return out
}

func (m *Mesh) warnService(s Service, key string, add func(key, message, hint string)) {
	for j, o := range s.Objectives {
		if o.Target > .99 {
			add(join(index(key+".objective", j), "target"), fmt.Sprintf("%v leaves a very small error budget", o.Target),
				"single intervals cannot be steered that finely; up to 0.99 is realistic")
		}
	}
	if s.Blocking != nil && s.Blocking.Status == 503 {
		add(key+".blocking.status", "503 may be retried by callers", "use 429, which is not")
	}
	if s.Blocking != nil && len(s.Routes) == 0 {
		add(key+".blocking", "the service has no route on which requests could be blocked in Istio", "add a [[service.route]]")
	}
	if len(s.Objectives) == 0 {
		if _, ok := m.queryFor(s, string(policy.RoleLatency)); !ok {
			add(key, "has neither an objective nor a signal latency", "nothing will show what an action does to it")
		}
	}
	if _, ok := m.queryFor(s, string(policy.RoleCarried)); !ok {
		add(key, "has no signal carried", "without it nobody can tell whether blocking took effect")
	}
}
