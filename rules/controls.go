package rules

import (
	"fmt"
	"math"
	"path/filepath"
	"time"
)

func readWorkload(t *Table) Workload {
	t.Require("name", "deployment", "replicas")
	w := Workload{Name: nameOf(t, "name"), Deployment: objectOf(t, "deployment")}
	r := t.Table("replicas")
	if r == nil {
		return w
	}
	both := r.Require("minimum", "maximum")
	w.Minimum = r.Whole("minimum", 1, 1, 10000)
	w.Maximum = r.Whole("maximum", 10000, 1, 10000)
	w.Cost = r.Number("cost", 0, 0, math.Inf(1))
	if both && w.Maximum < w.Minimum {
		r.Invalid("maximum", fmt.Sprintf("%d is below the minimum of %d", w.Maximum, w.Minimum), "")
	}
	return w
}

func readGuard(t *Table) Guard {
	g := Guard{
		Authority:      AuthorityObserve,
		MaxStep:        DefaultMaxStep,
		TotalBlocking:  DefaultTotalBlocking,
		ChangesPerHour: DefaultChangesPerHour,
		OnDrift:        OnDriftHold,
		ApprovalExpiry: DefaultApprovalExpiry,
		OnStop:         OnStopHold,
		OnNoData:       OnNoDataHold,
		NoDataGrace:    DefaultNoDataGrace,
	}
	if t == nil {
		return g
	}
	g.Authority = Authority(t.OneOf("authority", string(AuthorityObserve),
		string(AuthorityObserve), string(AuthorityApprove), string(AuthorityAct)))
	g.MaxStep = t.Number("max_step", DefaultMaxStep, 0, 1)
	if g.MaxStep == 0 {
		t.Invalid("max_step", "0 forbids every change of a weight", `to change nothing, set authority = "observe"`)
	}
	g.TotalBlocking = t.Number("total_blocking", DefaultTotalBlocking, 0, 1)
	g.OnDrift = OnDrift(t.OneOf("on_drift", string(OnDriftHold), string(OnDriftHold), string(OnDriftAdopt)))
	g.OnStop = OnStop(t.OneOf("on_stop", string(OnStopHold), string(OnStopHold), string(OnStopRelease)))
	g.OnNoData = OnNoData(t.OneOf("on_no_data", string(OnNoDataHold), string(OnNoDataHold), string(OnNoDataBaseline)))
	g.NoDataGrace = t.Duration("no_data_grace", DefaultNoDataGrace, time.Second)
	if t.Has("no_data_grace") && g.OnNoData != OnNoDataBaseline {
		t.Invalid("no_data_grace", `is of no use without on_no_data = "baseline"`, "add that, or remove the key")
	}
	g.ApprovalExpiry = t.Duration("approval_expiry", DefaultApprovalExpiry, time.Second)
	g.ChangesPerHour = t.Whole("changes_per_hour", DefaultChangesPerHour, 1, 1_000_000)
	g.Cooldown, g.CooldownGiven = t.Duration("cooldown", 0, 0), t.Has("cooldown")
	for _, f := range t.Tables("freeze") {
		g.Freezes = append(g.Freezes, readFreeze(f))
	}
	return g
}

func readPolicy(t *Table, dir string) PolicyRef {
	t.Require("name", "plugin", "role")
	p := PolicyRef{
		Name:     nameOf(t, "name"),
		Plugin:   nameOf(t, "plugin"),
		Role:     PolicyRole(t.OneOf("role", "", string(RoleActive), string(RoleShadow), string(RoleCandidate), string(RoleFallback))),
		Settings: t.Free("settings"),
		Artefact: t.Text("artefact", ""),
	}
	if t.IsText("artefact") && p.Artefact == "" {
		t.Invalid("artefact", "is empty", "name a directory, or remove the key")
	}
	if p.Artefact != "" && !filepath.IsAbs(p.Artefact) {
		p.Artefact = filepath.Join(dir, p.Artefact)
	}
	if key, why := foreign("settings", p.Settings); why != "" {
		t.doc.refuse(t.path+"."+key, why, "settings are handed to the plugin as JSON")
	}
	return p
}

// foreign returns the path of the first value that JSON cannot hold as TOML
// meant it, and why.
func foreign(path string, v any) (key, why string) {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return path, fmt.Sprintf("is %v, want a finite number", v)
		}
	case time.Time:
		return path, "is a date, want a string"
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if key, why := foreign(join(path, k), v[k]); why != "" {
				return key, why
			}
		}
	case []map[string]any:
		for i := range v {
			if key, why := foreign(index(path, i), v[i]); why != "" {
				return key, why
			}
		}
	case []any:
		for i := range v {
			if key, why := foreign(index(path, i), v[i]); why != "" {
				return key, why
			}
		}
	}
	return "", ""
}

func readReward(t *Table) *Reward {
	if t == nil {
		return nil
	}
	t.Require("name")
	r := &Reward{Name: t.OneOf("name", "", RewardMO1, RewardMO2, RewardMO3, RewardScaling)}
	if r.Name == RewardScaling {
		t.Require("met")
		r.Met = t.Number("met", 0, 0, math.Inf(1))
		return r
	}
	t.Require("steepness", "theta")
	r.Steepness = t.Number("steepness", 1, 0, math.Inf(1))
	if r.Steepness == 0 {
		t.Invalid("steepness", "is 0, want a number above 0", "")
	}
	r.Theta = map[string]float64{}
	if theta := t.Table("theta"); theta != nil {
		for _, service := range theta.Keys() {
			r.Theta[service] = theta.Duration(service, 0, time.Millisecond).Seconds()
		}
	}
	if r.Name == RewardMO3 {
		t.Require("blocking_cost")
		r.BlockingCost = t.Number("blocking_cost", 0, 0, math.Inf(1))
	}
	return r
}
