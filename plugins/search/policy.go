package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// Settings are the policy's table in a rules file.
type Settings struct {
	// Evaluations is how many sets of settings a decision may look at; 0: as many as
	// take about a tenth of a second with the artefact's model.
	Evaluations int `json:"evaluations"`
}

// Name is the policy's.
const Name = "search"

// Policy is the search policy. Configure it before Decide.
type Policy struct {
	model       *model.System
	whole       *model.Predictor
	evaluator   *learned
	evaluations int
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no model yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact: an encoded model.System.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: Name, Version: "1", Artefact: true}, nil
}

// Configure reads the model and the settings. On an error the policy stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	var s Settings
	if len(c.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(c.Settings))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return fmt.Errorf("search: settings: %w; want evaluations, a whole number", err)
		}
	}
	if s.Evaluations < 0 || s.Evaluations > mostEvaluations {
		return fmt.Errorf("search: settings: evaluations = %d; want 1 to %d, or 0 for the default", s.Evaluations, mostEvaluations)
	}
	m, err := model.DecodeSystem(c.Artefact)
	if err != nil {
		return err
	}
	if len(m.Services) == 0 || len(m.Knobs) == 0 {
		return errors.New("search: the model has no services or no knobs; train it again")
	}
	if s.Evaluations == 0 {
		s.Evaluations = max(leastPerService*len(m.Services), walks/max(1, trees(m)))
	}
	e, err := newLearned(m)
	if err != nil {
		return err
	}
	*p = Policy{model: m, whole: m.Predictor(), evaluator: e, evaluations: s.Evaluations}
	return nil
}

const (
	// walks is how many trees a decision may ask, if every service is asked each time: a
	// tenth of a second of one core, and less than a quarter where loads are such that
	// nothing seen before helps.
	walks = 20_000_000
	// leastPerService is what the construction needs, and some search.
	leastPerService = 60
	// mostEvaluations bounds what a file may ask for: minutes.
	mostEvaluations = 100_000_000
)

// Decide constructs settings and improves them. Beyond the loads of the data it plans
// with the nearest load that they have, blocks no service less than it is blocked
// now, and says that its predictions are not supported.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.model == nil {
		return policy.Decision{}, errors.New("search: not configured; it needs a trained artefact")
	}
	d, err := newDecision(p, o)
	if err != nil {
		return policy.Decision{}, err
	}
	return d.decide()
}
