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
	return &Action{Settings: each(a, fromSetting)}
}

func fromSignal(s policy.Signal) *Signal {
	return &Signal{
		Name: s.Name, Service: s.Service, Role: rolesToWire[s.Role], Value: s.Value,
		AtUnixMilliseconds: fromTime(s.At), Status: statusesToWire[s.Status],
	}
}

func fromKnobID(id policy.KnobID) *KnobID {
	return &KnobID{Kind: kindsToWire[id.Kind], Target: id.Target, Part: id.Part}
}

func fromKnob(k policy.Knob) *Knob {
	return &Knob{
		Id: fromKnobID(k.KnobID), Service: k.Service, Min: k.Min, Max: k.Max,
		Levels: int32(min(max(k.Levels, 0), 1<<30)), Cost: k.Cost,
	}
}

func fromSetting(s policy.Setting) *Setting {
	return &Setting{Id: fromKnobID(s.KnobID), Value: s.Value}
}

func fromService(s policy.Service) *Service {
	return &Service{
		Name: s.Name, Value: s.Value, Floor: s.Floor,
		Objectives: each(s.Objectives, fromObjective),
	}
}

func fromObjective(o policy.Objective) *Objective {
	return &Objective{
		Signal: o.Signal, Kind: objectivesToWire[o.Kind], Bound: o.Bound, Budget: o.Budget,
		Margin: o.Margin, Residual: o.Residual, Correction: o.Correction, Price: o.Price, Lag: o.Lag, Calibrated: o.Calibrated,
	}
}

func fromPrediction(p policy.Prediction) *Prediction {
	return &Prediction{Service: p.Service, Signal: p.Signal, Value: p.Value, Supported: p.Supported, Risk: p.Risk, Scale: p.Scale}
}

func fromAlternative(a policy.Alternative) *Alternative {
	return &Alternative{Action: FromAction(a.Action), Score: a.Score, Reason: a.Reason}
}

func fromTime(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func each[S, T any](in []S, convert func(S) T) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, len(in))
	for i, s := range in {
		out[i] = convert(s)
	}
	return out
}
