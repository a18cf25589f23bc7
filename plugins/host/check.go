package host

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// Check reports the first thing that makes a decision unusable as the answer to
// an observation: an action that does not fit the knobs, a number that is not
// finite, a prediction of something that is no objective or a second one of the
// same, too many alternatives, a reason that is too long. The action of a policy
// that abstains is not looked at.
func Check(o policy.Observation, d policy.Decision) error {
	if !d.Abstain {
		if err := d.Action.Validate(o.Knobs); err != nil {
			return err
		}
	}
	if err := checkPredictions(o, d.Expected); err != nil {
		return fmt.Errorf("expected: %w", err)
	}
	if err := checkPredictions(o, d.ExpectedLive); err != nil {
		return fmt.Errorf("expected for the live action: %w", err)
	}
	if len(d.Alternatives) > policy.MaxAlternatives {
		return fmt.Errorf("%d alternatives, want at most %d", len(d.Alternatives), policy.MaxAlternatives)
	}
	for i, a := range d.Alternatives {
		if err := a.Action.Validate(o.Knobs); err != nil {
			return fmt.Errorf("alternative %d: %w", i, err)
		}
		if !finite(a.Score) {
			return fmt.Errorf("alternative %d: score %v is not finite", i, a.Score)
		}
		if len(a.Reason) > policyv1.MaxReason {
			return fmt.Errorf("alternative %d: reason of %d bytes, want at most %d", i, len(a.Reason), policyv1.MaxReason)
		}
	}
	if len(d.Reason) > policyv1.MaxReason {
		return fmt.Errorf("reason of %d bytes, want at most %d", len(d.Reason), policyv1.MaxReason)
	}
	return nil
}

func checkPredictions(o policy.Observation, predictions []policy.Prediction) error {
	if len(predictions) == 0 {
		return nil
	}
	type objective struct{ service, signal string }
	open := make(map[objective]bool)
	for _, s := range o.Services {
		for _, ob := range s.Objectives {
			open[objective{s.Name, ob.Signal}] = true
		}
	}
	for _, p := range predictions {
		key := objective{p.Service, p.Signal}
		if !open[key] {
			return fmt.Errorf("signal %q of service %q is no objective, or predicted twice", p.Signal, p.Service)
		}
		delete(open, key)
		if !finite(p.Value) {
			return fmt.Errorf("signal %s of service %s: %v is not finite", p.Signal, p.Service, p.Value)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
