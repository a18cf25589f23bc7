// Package threshold is the policy that needs no model: hysteresis rules over
// measured signals. It sheds the least valuable load when an objective's bound is
// exceeded, adds replicas, and restores load slowly when all is well. It is the
// fallback that runs inside the daemon when a plugin does not answer.
//
// The rules live here and nothing else: no state between calls, no prediction, no
// weights (without a model nothing says which destination is slow). The limits
// that it keeps to are enforced by rules/guard, not here.
package threshold

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/windvane/windvane/plugins/policy"
)

// Settings are the policy's table in a rules file.
type Settings struct {
	RaiseStep    float64 `json:"raise_step"`    // blocking added in one cycle for each service above its bound
	RestoreStep  float64 `json:"restore_step"`  // blocking taken back in one cycle
	RestoreBelow float64 `json:"restore_below"` // fraction of the bound below which all services must be for that
}

// Defaults are used where a setting is not given.
var Defaults = Settings{RaiseStep: .2, RestoreStep: .05, RestoreBelow: .8}

// Threshold is the policy. It has settings and no other state.
type Threshold struct {
	settings Settings
}

var _ policy.Policy = (*Threshold)(nil)

// New returns the policy with its default settings.
func New() *Threshold { return &Threshold{settings: Defaults} }

// Describe names the policy; it takes no artefact.
func (t *Threshold) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "threshold", Version: "1"}, nil
}

// Configure replaces the settings; what is not given is the default. An error
// leaves them as they were.
func (t *Threshold) Configure(_ context.Context, config policy.Config) error {
	s := Defaults
	if len(config.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(config.Settings))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return fmt.Errorf("threshold: settings: %w; want raise_step, restore_step and restore_below", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("threshold: settings: more than one JSON value")
		}
	}
	var errs []error
	for _, v := range []struct {
		name  string
		value float64
	}{{"raise_step", s.RaiseStep}, {"restore_step", s.RestoreStep}, {"restore_below", s.RestoreBelow}} {
		if !(v.value > 0 && v.value <= 1) {
			errs = append(errs, fmt.Errorf("threshold: settings: %s = %v; want more than 0 and at most 1", v.name, v.value))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	t.settings = s
	return nil
}

// Decide applies the rules to one observation. It is an error if the live action
// does not fit the knobs.
func (t *Threshold) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if err := o.Live.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("threshold: live %w", err)
	}
	c := newCycle(t.settings, o)
	switch {
	case o.Limits.Frozen != "":
		c.shed()
	case len(c.over) > 0:
		c.scaleUp()
		c.shed()
	case c.unknown != "" || !c.promised || !c.low:
	case c.restore():
	case c.quiet:
		c.scaleDown()
	}
	return policy.Decision{Action: c.action, Reason: c.reason()}, nil
}
