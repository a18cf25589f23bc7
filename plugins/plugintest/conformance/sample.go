package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
)

// sample is the observation of the options, and others around it.
func sample(o Options) []policy.Observation {
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	out := []policy.Observation{o.Observation}
	for len(out) < o.Samples {
		out = append(out, plugintest.Scatter(rng, o.Observation))
	}
	return out
}

// answer is a decision, or that there was none.
type answer struct {
	policy.Decision
	err error
}

// differs says in words how two answers to the same observation differ; empty: not at all.
func differs(a, b answer) string {
	switch {
	case a.err != nil && b.err != nil: // in which words is its own affair
		return ""
	case a.err != nil || b.err != nil:
		return fmt.Sprintf("%s, and then %s", inWords(a), inWords(b))
	case reflect.DeepEqual(a.Decision, b.Decision):
		return ""
	}
	if changes := policy.Diff(a.Action, b.Action, 0); len(changes) > 0 {
		c := changes[0]
		return fmt.Sprintf("%s is set to %v, and then to %v", c.KnobID, c.From, c.To)
	}
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"abstain", a.Abstain, b.Abstain},
		{"infeasible", a.Infeasible, b.Infeasible},
		{"expected", a.Expected, b.Expected},
		{"expected_live", a.ExpectedLive, b.ExpectedLive},
		{"alternatives", a.Alternatives, b.Alternatives},
		{"reason", a.Reason, b.Reason},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			return fmt.Sprintf("%s is %.120s, and then %.120s", part.name, fmt.Sprint(part.a), fmt.Sprint(part.b))
		}
	}
	return "one has an action, the other has none"
}

func inWords(a answer) string {
	switch {
	case a.err != nil:
		return "an error (" + strings.TrimPrefix(a.err.Error(), "plugin "+hostName+": ") + ")"
	case a.Abstain:
		return "an abstention"
	default:
		return "an action"
	}
}

// oddity is an observation that makes no sense, in one way.
type oddity struct {
	name   string
	refuse bool // an answer other than an error is wrong
	change func(o *policy.Observation)
}

// oddities are applied to a copy whose signals, settings and knobs are its own.
var oddities = []oddity{
	{"no signals", false, func(o *policy.Observation) { o.State = nil }},
	{"all signals absent", false, func(o *policy.Observation) {
		all(o.State, func(s *policy.Signal) { s.Status, s.Value = policy.Absent, 0 })
	}},
	{"all signals stale", false, func(o *policy.Observation) { all(o.State, func(s *policy.Signal) { s.Status = policy.Stale }) }},
	{"all signals invalid, their values NaN", false, func(o *policy.Observation) {
		all(o.State, func(s *policy.Signal) { s.Status, s.Value = policy.Invalid, math.NaN() })
	}},
	{"a valid signal that is NaN", true, func(o *policy.Observation) {
		if len(o.State) > 0 {
			o.State[0].Status, o.State[0].Value = policy.Valid, math.NaN()
		}
	}},
	{"a signal of an unknown role", true, func(o *policy.Observation) {
		if len(o.State) > 0 {
			o.State[0].Role = "none"
		}
	}},
	{"negative signals", false, func(o *policy.Observation) { all(o.State, func(s *policy.Signal) { s.Value = -1 }) }},
	{"signals of 1e300", false, func(o *policy.Observation) { all(o.State, func(s *policy.Signal) { s.Value = 1e300 }) }},
	{"every signal twice", false, func(o *policy.Observation) { o.State = append(o.State, o.State...); o.State.Sort() }},
	{"no services", false, func(o *policy.Observation) { o.Services = nil }},
	{"no objectives", false, func(o *policy.Observation) {
		for i := range o.Services {
			o.Services[i].Objectives = nil
		}
	}},
	{"no knobs", false, func(o *policy.Observation) { o.Knobs, o.Live = nil, nil }},
	{"no live action", false, func(o *policy.Observation) { o.Live = nil }},
	{"a live action that lacks a knob", false, func(o *policy.Observation) { o.Live = o.Live[:max(0, len(o.Live)-1)] }},
	{"a live action out of its range", false, func(o *policy.Observation) {
		for i := range o.Live {
			o.Live[i].Value = 7
		}
	}},
	{"an objective without its signal", false, func(o *policy.Observation) {
		for i := range o.Services {
			for j := range o.Services[i].Objectives {
				o.Services[i].Objectives[j].Signal = "none"
			}
		}
	}},
}

func all(state policy.State, change func(s *policy.Signal)) {
	for i := range state {
		change(&state[i])
	}
}

// copied shares nothing that an oddity changes.
func copied(o policy.Observation) policy.Observation {
	o.State, o.Live, o.Services = slices.Clone(o.State), o.Live.Clone(), slices.Clone(o.Services)
	for i := range o.Services {
		o.Services[i].Objectives = slices.Clone(o.Services[i].Objectives)
	}
	return o
}
