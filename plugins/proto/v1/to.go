package policyv1

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

var (
	rolesFromWire      = inverse(rolesToWire)
	kindsFromWire      = inverse(kindsToWire)
	objectivesFromWire = inverse(objectivesToWire)
	statusesFromWire   = inverse(statusesToWire)
)

var errMissing = errors.New("is missing")

// ToDescription converts a description; it is an error if there is none.
func ToDescription(d *Description) (policy.Description, error) {
	if d == nil {
		return policy.Description{}, fmt.Errorf("description %w", errMissing)
	}
	return policy.Description{
		Name: d.GetName(), Version: d.GetVersion(), Artefact: d.GetArtefact(), Trains: d.GetTrains(), Exports: d.GetExports(),
	}, nil
}

// ToConfig converts a configuration; it is an error if there is none. The byte
// slices are shared.
func ToConfig(c *Config) (policy.Config, error) {
	if c == nil {
		return policy.Config{}, fmt.Errorf("config %w", errMissing)
	}
	return policy.Config{Settings: c.GetSettings(), Card: c.GetCard(), Artefact: c.GetArtefact()}, nil
}

// ToObservation converts an observation. It is an error if a message within is
// missing, an enum has no meaning, or a number is not finite (the value of a
// signal that is not valid excepted).
func ToObservation(o *Observation) (policy.Observation, error) {
	var none, out policy.Observation
	if o == nil {
		return none, fmt.Errorf("observation %w", errMissing)
	}
	if o.GetLimits() == nil {
		return none, fmt.Errorf("observation: limits: %w", errMissing)
	}
	out.Mesh = o.GetMesh()
	out.Limits = policy.Limits{
		MaxStep: o.GetLimits().GetMaxStep(), TotalBlocking: o.GetLimits().GetTotalBlocking(), Frozen: o.GetLimits().GetFrozen(),
	}
	if err := finite(out.Limits.MaxStep, out.Limits.TotalBlocking); err != nil {
		return none, fmt.Errorf("observation: limits: %w", err)
	}
	var err error
	if out.At, err = toTime(o.AtUnixMilliseconds); err != nil {
		return none, fmt.Errorf("observation: %w", err)
	}
	if out.State, err = eachErr("signal", o.GetState(), toSignal); err != nil {
		return none, fmt.Errorf("observation: %w", err)
	}
	if out.Live, err = ToAction(o.GetLive()); err != nil {
		return none, fmt.Errorf("observation: live %w", err)
	}
	if out.Knobs, err = eachErr("knob", o.GetKnobs(), toKnob); err != nil {
		return none, fmt.Errorf("observation: %w", err)
	}
	if out.Services, err = eachErr("service", o.GetServices(), toService); err != nil {
		return none, fmt.Errorf("observation: %w", err)
	}
	return out, nil
}

// ToDecision converts a decision, with the errors of ToObservation.
func ToDecision(d *Decision) (policy.Decision, error) {
	var none policy.Decision
	if d == nil {
		return none, fmt.Errorf("decision %w", errMissing)
	}
	out := policy.Decision{Abstain: d.GetAbstain(), Infeasible: d.GetInfeasible(), Reason: d.GetReason()}
	var err error
	if out.Action, err = ToAction(d.GetAction()); err != nil {
		return none, fmt.Errorf("decision: %w", err)
	}
	if out.Expected, err = eachErr("expected", d.GetExpected(), toPrediction); err != nil {
		return none, fmt.Errorf("decision: %w", err)
	}
	if out.ExpectedLive, err = eachErr("expected_live", d.GetExpectedLive(), toPrediction); err != nil {
		return none, fmt.Errorf("decision: %w", err)
	}
	if out.Alternatives, err = eachErr("alternative", d.GetAlternatives(), toAlternative); err != nil {
		return none, fmt.Errorf("decision: %w", err)
	}
	return out, nil
}

// ToAction converts an action, with the errors of ToObservation; none is an empty one.
func ToAction(a *Action) (policy.Action, error) {
	out, err := eachErr("setting", a.GetSettings(), toSetting)
	if err != nil {
		return nil, fmt.Errorf("action: %w", err)
	}
	return out, nil
}

func toSignal(s *Signal) (policy.Signal, error) {
	out := policy.Signal{Name: s.GetName(), Service: s.GetService(), Value: s.GetValue()}
	var ok bool
	if out.Role, ok = rolesFromWire[s.GetRole()]; !ok {
		return out, fmt.Errorf("%s of %s: unknown role %d", s.GetName(), s.GetService(), s.GetRole())
	}
	if out.Status, ok = statusesFromWire[s.GetStatus()]; !ok {
		return out, fmt.Errorf("%s of %s: unknown status %d", s.GetName(), s.GetService(), s.GetStatus())
	}
	if out.Status == policy.Valid {
		if err := finite(out.Value); err != nil {
			return out, fmt.Errorf("%s of %s is valid, but %w", s.GetName(), s.GetService(), err)
		}
	}
	var err error
	out.At, err = toTime(s.AtUnixMilliseconds)
	return out, err
}

func toKnobID(id *KnobID) (policy.KnobID, error) {
	if id == nil {
		return policy.KnobID{}, fmt.Errorf("id %w", errMissing)
	}
	kind, ok := kindsFromWire[id.GetKind()]
	if !ok {
		return policy.KnobID{}, fmt.Errorf("unknown kind %d of knob", id.GetKind())
	}
	return policy.KnobID{Kind: kind, Target: id.GetTarget(), Part: id.GetPart()}, nil
}

func toKnob(k *Knob) (policy.Knob, error) {
	id, err := toKnobID(k.GetId())
	if err != nil {
		return policy.Knob{}, err
	}
	if err := finite(k.GetMin(), k.GetMax(), k.GetCost()); err != nil {
		return policy.Knob{}, fmt.Errorf("%s: %w", id, err)
	}
	return policy.Knob{
		KnobID: id, Service: k.GetService(), Min: k.GetMin(), Max: k.GetMax(),
		Levels: int(k.GetLevels()), Cost: k.GetCost(),
	}, nil
}

func toSetting(s *Setting) (policy.Setting, error) {
	id, err := toKnobID(s.GetId())
	if err != nil {
		return policy.Setting{}, err
	}
	if err := finite(s.GetValue()); err != nil {
		return policy.Setting{}, fmt.Errorf("%s: %w", id, err)
	}
	return policy.Setting{KnobID: id, Value: s.GetValue()}, nil
}

func toService(s *Service) (policy.Service, error) {
	out := policy.Service{Name: s.GetName(), Value: s.GetValue(), Floor: s.GetFloor()}
	if err := finite(out.Value, out.Floor); err != nil {
		return out, fmt.Errorf("%s: %w", out.Name, err)
	}
	var err error
	if out.Objectives, err = eachErr("objective", s.GetObjectives(), toObjective); err != nil {
		return out, fmt.Errorf("%s: %w", out.Name, err)
	}
	return out, nil
}

func toObjective(o *Objective) (policy.Objective, error) {
	kind, ok := objectivesFromWire[o.GetKind()]
	if !ok {
		return policy.Objective{}, fmt.Errorf("unknown kind %d", o.GetKind())
	}
	out := policy.Objective{
		Signal: o.GetSignal(), Kind: kind, Bound: o.GetBound(), Budget: o.GetBudget(),
		Margin: o.GetMargin(), Residual: o.GetResidual(), Correction: o.GetCorrection(), Price: o.GetPrice(), Lag: o.GetLag(), Calibrated: o.GetCalibrated(),
	}
	if err := finite(out.Correction...); err != nil {
		return out, fmt.Errorf("correction: %w", err)
	}
	return out, finite(out.Bound, out.Budget, out.Margin, out.Residual, out.Price, out.Lag)
}

func toPrediction(p *Prediction) (policy.Prediction, error) {
	out := policy.Prediction{
		Service: p.GetService(), Signal: p.GetSignal(), Value: p.GetValue(), Supported: p.GetSupported(), Risk: p.GetRisk(), Scale: p.GetScale(),
	}
	if !(out.Risk >= 0 && out.Risk <= 1) {
		return out, fmt.Errorf("%s of %s: risk %v is no chance between 0 and 1", out.Signal, out.Service, out.Risk)
	}
	if !(out.Scale >= 0) {
		return out, fmt.Errorf("%s of %s: a scale of %v; want more than 0, or 0 for 1", out.Signal, out.Service, out.Scale)
	}
	return out, finite(out.Value, out.Scale)
}

func toAlternative(a *Alternative) (policy.Alternative, error) {
	if a.GetAction() == nil {
		return policy.Alternative{}, fmt.Errorf("action %w", errMissing)
	}
	action, err := ToAction(a.GetAction())
	if err != nil {
		return policy.Alternative{}, err
	}
	return policy.Alternative{Action: action, Score: a.GetScore(), Reason: a.GetReason()}, finite(a.GetScore())
}

// The range that has a year of four digits, as JSON and RFC 3339 want it.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli()
)

func toTime(ms *int64) (time.Time, error) {
	if ms == nil {
		return time.Time{}, nil
	}
	if *ms < firstTime || *ms > lastTime {
		return time.Time{}, fmt.Errorf("time %d ms is not between the years 1 and 9999", *ms)
	}
	return time.UnixMilli(*ms).UTC(), nil
}

func finite(vs ...float64) error {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is not a finite number", v)
		}
	}
	return nil
}

func eachErr[S, T any](what string, in []*S, convert func(*S) (T, error)) ([]T, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]T, len(in))
	for i, s := range in {
		if s == nil {
			return nil, fmt.Errorf("%s %d %w", what, i, errMissing)
		}
		t, err := convert(s)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i, err)
		}
		out[i] = t
	}
	return out, nil
}

func inverse[K, V comparable](m map[K]V) map[V]K {
	out := make(map[V]K, len(m))
	for k, v := range m {
		out[v] = k
	}
	return out
}
