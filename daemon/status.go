package daemon

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/common/version"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// Status returns the state after the last cycle of each mesh.
func (d *Daemon) Status() api.Status {
	s := api.Status{Version: cmp.Or(version.Version, "unknown"), ConfigFile: d.o.ConfigFile, Meshes: []api.Mesh{}}
	if at := d.started.Load(); at != nil {
		s.StartedAt = *at
	}
	if err := d.reloadErr.Load(); err != nil && *err != nil {
		s.ReloadError = (*err).Error()
	}
	g := d.current.Load()
	if g == nil {
		return s
	}
	for _, m := range g.meshes {
		s.Meshes = append(s.Meshes, m.status())
	}
	return s
}

func (m *mesh) status() api.Mesh {
	out := api.Mesh{
		Name: m.rules.Name, IntervalSeconds: m.rules.Interval.Seconds(),
		Plan: []policy.Change{}, Problems: []string{}, Services: []api.Service{}, Budgets: []api.Budget{}, Plugins: []api.Plugin{},
	}
	m.fillAuthority(&out)
	out.Alerts, out.Omitted = m.options.Alerts()
	out.Exploration = m.explored()
	for _, p := range m.policies.plugins {
		out.Plugins = append(out.Plugins, p.status())
	}
	if r := m.last.Load(); r != nil {
		fill(&out, r)
		m.accounts.current.Load().fill(&out)
		out.AgeSeconds = known(time.Since(*m.ended.Load()).Seconds(), true)
	}
	out.Sentence = out.Say()
	return out
}

func fill(out *api.Mesh, r *loop.Report) {
	i := r.Intent
	at := r.At
	out.Cycle, out.At, out.Policy, out.PolicyRole = i.Cycle, &at, i.Policy, i.PolicyRole
	out.FallbackReason, out.Hold, out.Applied, out.Frozen = i.FallbackReason, i.Hold, i.Act, i.Frozen
	if r.Guard != "" {
		out.Hold += " (" + r.Guard + ")"
	}
	if i.Decision != nil {
		out.Reason = i.Decision.Reason
	}
	out.VerifyState = api.VerifyState{Verified: r.Verified, Revert: i.Revert, HarmRatio: r.Harm}
	out.Plan, out.Shadows = append(out.Plan, i.Plan...), r.Shadows
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, problemText(p))
	}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	for _, s := range i.Services {
		out.Services = append(out.Services, service(s, r))
	}
}

func problemText(p observe.Problem) string {
	if p.Service == "" {
		return fmt.Sprintf("%s is %s: %v", p.Query, p.Kind, p.Err)
	}
	return fmt.Sprintf("%s of %s is %s: %v", p.Query, p.Service, p.Kind, p.Err)
}

func service(s policy.Service, r *loop.Report) api.Service {
	state := r.Intent.State
	out := api.Service{Name: s.Name, Objectives: []api.Objective{}}
	out.Offered = known(state.Role(s.Name, policy.RoleOffered).Get())
	out.Carried = known(state.Role(s.Name, policy.RoleCarried).Get())
	out.Blocking = known(r.Intent.Live.Get(policy.KnobID{Kind: policy.Blocking, Target: s.Name}))
	for _, o := range s.Objectives {
		signal := state.Find(s.Name, o.Signal)
		e := entry(r.Control, s.Name, o.Signal)
		obj := api.Objective{
			Signal: o.Signal, Value: known(signal.Get()), Status: signal.Status.String(), Bound: o.Bound, Budget: o.Budget,
			Intervals: e.Intervals, Margin: e.Margin, Debt: e.Debt,
		}
		if e.Intervals > 0 {
			obj.Violated = known(e.Spent/float64(e.Intervals), true)
		}
		if e.Forecasts > 0 {
			obj.RiskBias, obj.Calibrated = known(e.Bias, true), o.Calibrated
		}
		if e.Flagged > 0 {
			obj.Infeasible, obj.Unmet = e.Flagged, known(e.FlaggedSpent/float64(e.Flagged), true)
		}
		out.Objectives = append(out.Objectives, obj)
	}
	return out
}

func entry(c margin.Control, service, signal string) margin.Entry {
	for _, e := range c {
		if e.Service == service && e.Signal == signal {
			return e
		}
	}
	return margin.Entry{}
}

func known(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}
