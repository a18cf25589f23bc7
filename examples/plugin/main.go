// Command plugin is a complete policy of one's own: it sheds load of a service whose
// latency is above its bound, and takes it back below four fifths of that. To try it:
//
//	go build -o shed ./examples/plugin
//	windvane plugin check ./shed
//
// which ends with what windvane.toml needs.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/serve"
)

func main() { os.Exit(serve.Main(&shed{step: .1})) }

// shed keeps its settings, and nothing between decisions.
type shed struct {
	step float64 // how much blocking changes in one cycle, 0 to 1
}

var _ policy.Policy = (*shed)(nil)

// Describe says what it is.
func (*shed) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "shed", Version: "1.0.0"}, nil
}

// Configure takes its settings, as in `settings = {step = 0.2}` of a rules file. It refuses
// those that it does not know, so that a misspelt one is found at once.
func (s *shed) Configure(_ context.Context, c policy.Config) error {
	settings := struct {
		Step float64 `json:"step"`
	}{.1}
	if len(c.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(c.Settings))
		d.DisallowUnknownFields()
		if err := d.Decode(&settings); err != nil {
			return fmt.Errorf("shed: settings: %w; there is step, a share such as 0.2", err)
		}
	}
	if !(settings.Step > 0 && settings.Step <= 1) {
		return fmt.Errorf("shed: settings: step = %v; want more than 0 and at most 1", settings.Step)
	}
	s.step = settings.Step
	return nil
}

// Decide starts from the live action, and changes the blocking of each service that it
// knows enough of. Weights and replicas stay as they are.
func (s *shed) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if err := o.Live.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("shed: live %w", err)
	}
	action, known, why := o.Live.Clone(), 0, "every latency is near its bound, or not known"
	for i, k := range o.Knobs {
		if k.Kind != policy.Blocking {
			continue
		}
		fullness, err := fullest(o, k.Service)
		if err != nil {
			continue // what is not known is no reason to change anything
		}
		known++
		switch {
		case fullness > 1:
			action[i].Value = min(k.Max, action[i].Value+s.step)
			why = fmt.Sprintf("the latency of %s is at %.0f %% of its bound", k.Service, 100*fullness)
		case fullness < .8:
			action[i].Value = max(k.Min, action[i].Value-min(s.step, o.Limits.MaxStep))
		}
	}
	if known == 0 {
		return policy.Decision{Abstain: true, Reason: "no latency is known"}, nil
	}
	return policy.Decision{Action: action, Reason: why}, nil
}

// fullest is the largest ratio of a service's latencies to their bounds. It is an error if
// one of them is not valid: absence is never 0.
func fullest(o policy.Observation, service string) (float64, error) {
	most, promised := 0.0, false
	for _, s := range o.Services {
		if s.Name != service {
			continue
		}
		for _, objective := range s.Objectives {
			if objective.Kind != policy.LatencyObjective {
				continue
			}
			seconds, valid := o.State.Find(service, objective.Signal).Get()
			if !valid {
				return 0, fmt.Errorf("the signal %s of %s is not valid", objective.Signal, service)
			}
			most, promised = max(most, seconds/objective.Bound), true
		}
	}
	if !promised {
		return 0, errors.New("nothing is promised")
	}
	return most, nil
}
