package policyv1

import (
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

var (
	rolesToWire = map[policy.Role]Role{
		policy.RoleOffered: Role_ROLE_OFFERED,
		policy.RoleCarried: Role_ROLE_CARRIED,
		policy.RoleLatency: Role_ROLE_LATENCY,
		policy.RoleRatio:   Role_ROLE_RATIO,
		policy.RoleContext: Role_ROLE_CONTEXT,
	}
	kindsToWire = map[policy.KnobKind]KnobKind{
		policy.Blocking: KnobKind_KNOB_KIND_BLOCKING,
		policy.Replicas: KnobKind_KNOB_KIND_REPLICAS,
		policy.Weight:   KnobKind_KNOB_KIND_WEIGHT,
	}
	objectivesToWire = map[policy.ObjectiveKind]ObjectiveKind{
		policy.LatencyObjective: ObjectiveKind_OBJECTIVE_KIND_LATENCY,
		policy.RatioObjective:   ObjectiveKind_OBJECTIVE_KIND_RATIO,
	}
	statusesToWire = map[policy.Status]Status{
		policy.Absent:  Status_STATUS_ABSENT,
		policy.Stale:   Status_STATUS_STALE,
		policy.Invalid: Status_STATUS_INVALID,
		policy.Valid:   Status_STATUS_VALID,
	}
)

// FromDescription converts a description.
func FromDescription(d policy.Description) *Description {
	return &Description{Name: d.Name, Version: d.Version, Artefact: d.Artefact, Trains: d.Trains, Exports: d.Exports}
}

// FromConfig converts a configuration. The byte slices are shared.
func FromConfig(c policy.Config) *Config {
	return &Config{Settings: c.Settings, Card: c.Card, Artefact: c.Artefact}
}

// FromObservation converts an observation. Times lose what is below a
// millisecond. A role or kind that the contract does not have becomes the
// unspecified one, which the other side refuses.
func FromObservation(o policy.Observation) *Observation {
	return &Observation{
		Mesh:               o.Mesh,
		AtUnixMilliseconds: fromTime(o.At),
		State:              each(o.State, fromSignal),
		Live:               FromAction(o.Live),
		Knobs:              each(o.Knobs, fromKnob),
		Limits:             &Limits{MaxStep: o.Limits.MaxStep, TotalBlocking: o.Limits.TotalBlocking, Frozen: o.Limits.Frozen},
		Services:           each(o.Services, fromService),
	}
}

// FromDecision converts a decision.
func FromDecision(d policy.Decision) *Decision {
	return &Decision{
		Action:       FromAction(d.Action),
		Abstain:      d.Abstain,
		Infeasible:   d.Infeasible,
		Expected:     each(d.Expected, fromPrediction),
		ExpectedLive: each(d.ExpectedLive, fromPrediction),
		Alternatives: each(d.Alternatives, fromAlternative),
		Reason:       d.Reason,
	}
}

// FromAction converts an action.
func FromAction(a policy.Action) *Action {
	return &Action{Settings: each(a, func(x *identified[Setting], s policy.Setting) *Setting {
		x.message.Id, x.message.Value = fromKnobID(&x.id, s.KnobID), s.Value
		return &x.message
	})}
}

// identified is a message with the name of a knob that it refers to.
type identified[T any] struct {
	message T
	id      KnobID
}

func fromKnobID(to *KnobID, id policy.KnobID) *KnobID {
	to.Kind, to.Target, to.Part = kindsToWire[id.Kind], id.Target, id.Part
	return to
}

// dated is a signal with the time that it refers to.
type dated struct {
	message Signal
	at      int64
}

func fromSignal(x *dated, s policy.Signal) *Signal {
	m := &x.message
	m.Name, m.Service, m.Role, m.Value, m.Status = s.Name, s.Service, rolesToWire[s.Role], s.Value, statusesToWire[s.Status]
	if !s.At.IsZero() {
		x.at = s.At.UnixMilli()
		m.AtUnixMilliseconds = &x.at
	}
	return m
}

func fromKnob(x *identified[Knob], k policy.Knob) *Knob {
	m := &x.message
	m.Id, m.Service, m.Min, m.Max, m.Cost = fromKnobID(&x.id, k.KnobID), k.Service, k.Min, k.Max, k.Cost
	m.Levels = int32(min(max(k.Levels, 0), 1<<30))
	return m
}

func fromService(m *Service, s policy.Service) *Service {
	m.Name, m.Value, m.Floor, m.Objectives = s.Name, s.Value, s.Floor, each(s.Objectives, fromObjective)
	return m
}

func fromObjective(m *Objective, o policy.Objective) *Objective {
	m.Signal, m.Kind, m.Bound, m.Budget = o.Signal, objectivesToWire[o.Kind], o.Bound, o.Budget
	m.Margin, m.Residual, m.Correction, m.Price = o.Margin, o.Residual, o.Correction, o.Price
	m.Lag, m.Calibrated = o.Lag, o.Calibrated
	return m
}

func fromPrediction(m *Prediction, p policy.Prediction) *Prediction {
	m.Service, m.Signal, m.Value, m.Supported, m.Risk, m.Scale = p.Service, p.Signal, p.Value, p.Supported, p.Risk, p.Scale
	return m
}

func fromAlternative(m *Alternative, a policy.Alternative) *Alternative {
	m.Action, m.Score, m.Reason = FromAction(a.Action), a.Score, a.Reason
	return m
}

func fromTime(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// each fills a message for each of in. All of them are one allocation: an observation of 500
// services has thousands.
func each[S, X, T any](in []S, fill func(*X, S) *T) []*T {
	if len(in) == 0 {
		return nil
	}
	all, out := make([]X, len(in)), make([]*T, len(in))
	for i, s := range in {
		out[i] = fill(&all[i], s)
	}
	return out
}
