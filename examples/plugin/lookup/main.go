// Command lookup is a policy of one's own that is trained: in windvane's simulator it
// searches the settings that are worth most at each of a grid of loads, and then looks them
// up. To try it:
//
//	go build -o lookup ./examples/plugin/lookup
//	windvane train --rules rules.toml --dataset mesh.dataset -o artefacts -- ./lookup
//
// It knows of no margin and no budget: a policy to look at as a shadow.
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

func main() { os.Exit(serve.Main(&lookup{})) }

// lookup keeps its table, and nothing between decisions.
type lookup struct{ table *table }

var (
	_ policy.Policy  = (*lookup)(nil)
	_ policy.Trainer = (*lookup)(nil)
)

// options are its settings, as in `settings = {levels = 6}` of a rules file.
type options struct {
	Levels int `json:"levels"` // of the load of each service
	Steps  int `json:"steps"`  // of the search
}

// parse refuses settings that it does not know, so that a misspelt one is found at once.
func parse(raw []byte) (options, error) {
	o := options{Levels: 5, Steps: 1000}
	if len(raw) > 0 {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&o); err != nil {
			return o, fmt.Errorf("lookup: settings: %w; there are levels and steps", err)
		}
	}
	if o.Levels < 2 || o.Steps < 1 || o.Steps > 1_000_000 {
		return o, fmt.Errorf("lookup: settings: levels = %d, steps = %d; want at least 2 levels, and 1 to 1000000 steps", o.Levels, o.Steps)
	}
	return o, nil
}

// Describe says what it is.
func (*lookup) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "lookup", Version: "1.0.0", Artefact: true}, nil
}

// Configure takes the table.
func (l *lookup) Configure(_ context.Context, c policy.Config) error {
	if _, err := parse(c.Settings); err != nil {
		return err
	}
	if len(c.Artefact) == 0 {
		return errors.New("lookup: an artefact is needed; `windvane train` makes one")
	}
	t, err := decode(c.Artefact)
	if err == nil {
		l.table = t
	}
	return err
}

// Decide looks up the settings for the load of this cycle.
func (l *lookup) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if l.table == nil {
		return policy.Decision{}, errors.New("lookup: it was not configured")
	}
	var loads []float64
	for _, s := range l.table.Services {
		v, valid := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !valid {
			return policy.Decision{Abstain: true, Reason: "the offered load of " + s.Name + " is not known"}, nil
		}
		loads = append(loads, v)
	}
	row := l.table.row(loads)
	action := l.table.Rows[row].Clone()
	if err := action.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("lookup: the table was made for other knobs; train it again: %w", err)
	}
	return policy.Decision{Action: action, Reason: fmt.Sprintf("worth most at %.3g requests/s in the simulator", l.table.loads()[row])}, nil
}
