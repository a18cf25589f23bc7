package rules

import (
	"encoding/json"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Mesh is what one rules file declares. Parse and Load return it validated, with
// every default filled in; it is read-only afterwards.
type Mesh struct {
	Name       string
	File       string        // the file it came from, as named by the caller
	Prometheus string        // name of the Prometheus source in windvane.toml
	Interval   time.Duration // one cycle per interval
	Settle     time.Duration // wait after an action before its effect is judged
	// ScrapeInterval is how often the signals have new samples: by scrapes, or by
	// recording rules where those are slower. 0: not declared.
	ScrapeInterval time.Duration
	Signals        Signals
	Services       []Service // in the order of the file
	Budgets        []SharedBudget
	Workloads      []Workload
	Guard          Guard
	Policies       []PolicyRef
	Promotion      Promotion
	// Alerts match the alerts of Alertmanager that are about this mesh, of those that do not
	// name one in their label mesh; none: all are.
	Alerts []*labels.Matcher
	Reward *Reward // nil unless a published reward is reproduced

	doc      *Document
	warnings Problems
}

// Signals is the [signals] table: one query each for the whole mesh. Services may
// do without it by queries of their own.
type Signals struct {
	By      string  // the label that names the service of a series
	Queries []Query // sorted by name
}

// Service is one service of the mesh.
type Service struct {
	Name           string
	Value          float64     // worth of a carried request
	MinimumCarried float64     // load that must not be blocked away, requests/s
	Objectives     []Objective // may be empty
	Routes         []Route     // may be empty
	Blocking       *Blocking   // nil: the service is never blocked
	Queries        []Query     // its own queries instead of the mesh's, sorted by name; result without regard to labels
}

// Objective is one promise about a service.
type Objective struct {
	Signal string // name of the signal; "ratio", "ratio_2", … for one that is written as Bad and Total
	Kind   policy.ObjectiveKind
	Bound  float64 // seconds; latency only
	Bad    string  // PromQL; empty unless the objective is written as bad and total
	Total  string  // PromQL; with Bad
	Target float64 // share of intervals (latency) or of requests (ratio) that is good, in (0,1); with Shared, what follows from its part
	Window time.Duration
	Shared string  // name of the budget that it has a part of; empty: its own
	Weight float64 // of its part; with Shared only
}

// SharedBudget is one error budget for several objectives: all of them hold in a share
// Target of intervals. Each gets the part of the budget that its weight asks for.
type SharedBudget struct {
	Name   string
	Target float64 // in (0,1)
	Window time.Duration
}

// Route is a route whose weights windvane may set.
type Route struct {
	VirtualService string   // namespace/name
	HTTP           string   // the route's name in spec.http
	Destinations   []string // at least two
	Levels         int      // values of a weight in a tabular policy's grid
	Owned          bool     // the VirtualService is a delegate of windvane's own, and is written whole
}

// Blocking says how far a service may be blocked.
type Blocking struct {
	Maximum float64 // share of offered requests, in (0,1]
	Status  int     // HTTP status of a refused request
	Levels  int     // values in a tabular policy's grid
}

// Workload is a deployment that windvane may scale.
type Workload struct {
	Name       string
	Deployment string // namespace/name
	Minimum    int    // pods
	Maximum    int    // pods
	Cost       float64
}

// Authority says what windvane may do with a plan.
type Authority string

// The authorities, least first.
const (
	AuthorityObserve Authority = "observe" // decide, record and publish; never write
	AuthorityApprove Authority = "approve" // a person approves each plan
	AuthorityAct     Authority = "act"     // apply
)

// Guard holds the limits that no policy can widen.
type Guard struct {
	Authority      Authority     // the ceiling; at run time it can only be lowered
	MaxStep        float64       // largest change of a weight, and of blocking downwards, in one cycle
	TotalBlocking  float64       // largest share of all offered requests that may be blocked
	ChangesPerHour int           // in any hour, raising blocking not counted
	OnDrift        OnDrift       // what to do when somebody else changes a setting
	ApprovalExpiry time.Duration // how long a plan waits for a person
	OnStop         OnStop        // what becomes of the settings when windvane is stopped
	OnNoData       OnNoData      // likewise when it is blind for longer than NoDataGrace
	NoDataGrace    time.Duration

	// Cooldown is the time from one change to the next, raising blocking excepted: what the
	// file gives, else what settle and the signals' look-back take together.
	Cooldown      time.Duration
	CooldownGiven bool
	Freezes       []guard.FreezeWindow
}

// OnDrift says what is done when somebody else changes a setting while windvane acts.
type OnDrift string

// Neither undoes the change.
const (
	OnDriftHold  OnDrift = "hold"  // nothing is set until it is put back
	OnDriftAdopt OnDrift = "adopt" // windvane goes on from there
)

// OnStop says what becomes of the settings when windvane is stopped in good order.
type OnStop string

// A crash is no stop: the next start, or `windvane release`, goes on from it.
const (
	OnStopHold    OnStop = "hold"    // they stay as they are
	OnStopRelease OnStop = "release" // they become what they were before windvane
)

// OnNoData says what becomes of the settings when signals are missing for long.
type OnNoData string

// The baseline protects nothing: that is for meshes that are safe without windvane.
const (
	OnNoDataHold     OnNoData = "hold"     // they stay as they are, without limit
	OnNoDataBaseline OnNoData = "baseline" // after a time of grace they become what they were before windvane
)

// PolicyRole is what a policy's decisions are used for.
type PolicyRole string

// The roles of policies.
const (
	RoleActive    PolicyRole = "active"    // decides
	RoleShadow    PolicyRole = "shadow"    // is asked and recorded
	RoleCandidate PolicyRole = "candidate" // is ready to be promoted, and not asked
	RoleRetired   PolicyRole = "retired"   // was active, and is not asked any more; no file has it
	RoleFallback  PolicyRole = "fallback"  // decides when the active policy cannot
)

// PolicyRef is a policy of this mesh: a plugin with settings of its own.
type PolicyRef struct {
	Name     string
	Plugin   string // name of the plugin in windvane.toml
	Role     PolicyRole
	Settings map[string]any // nil when there are none; finite numbers only
	Artefact string         // directory of the trained artefact; empty when there is none
}

// SettingsJSON returns the settings as canonical JSON (sorted keys), nil when
// there are none. It is an error only for settings that Parse did not make.
func (p PolicyRef) SettingsJSON() ([]byte, error) {
	if p.Settings == nil {
		return nil, nil
	}
	return json.Marshal(p.Settings)
}

// The rewards. RewardMO1 and RewardScaling are published (examples/mo1 and
// examples/scaling say where); RewardMO2 and RewardMO3 are ours, after the scenarios of
// these names.
const (
	RewardMO1     = "mo1"     // carried load, less where a bound is broken
	RewardMO2     = "mo2"     // the same by the services' values: the most valuable is protected first
	RewardMO3     = "mo3"     // mo2 less a cost of each blocked request
	RewardScaling = "scaling" // a worth where every bound is kept, less the cost of replicas
)

// Reward asks for a reward instead of the objectives.
type Reward struct {
	Name         string
	Steepness    float64            // of the logistic, 1/s; mo1, mo2, mo3
	Theta        map[string]float64 // its centre by service, seconds; mo1, mo2, mo3
	BlockingCost float64            // of a blocked request, in the unit of a service's value; mo3
	Met          float64            // what an interval with every bound kept is worth before costs; scaling
}

// Query returns the mesh-wide query of a name.
func (m *Mesh) Query(name string) (Query, bool) { return findQuery(m.Signals.Queries, name) }

// Queries returns every query to evaluate: the mesh-wide ones, whose Service is
// empty, then the services' own. A service's own query replaces the mesh-wide
// one of the same name for that service.
func (m *Mesh) Queries() []Query {
	out := append([]Query(nil), m.Signals.Queries...)
	for _, s := range m.Services {
		out = append(out, s.Queries...)
	}
	return out
}

// Problem makes a problem of the mesh's file at the line of a key, for checks
// that need more than this file; key is a path such as policy[0].plugin.
func (m *Mesh) Problem(key, message, hint string) Problem {
	return m.doc.Problem(key, message, hint)
}

// Warnings returns what is allowed but unwise, by line.
func (m *Mesh) Warnings() []Problem { return m.warnings }
