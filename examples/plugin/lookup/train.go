package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/plugins/simclient"
)

const (
	lanes = 128 // environments that are stepped at once
	most  = 256 // rows of a table
)

// Train searches, for each row of the table, the settings that are worth most in the host's
// simulator: each lane changes one choice of the best that is known for the load that it
// sees (a quarter of the lanes all of them, out of what is best nearby only), and what is
// worth more takes its place.
func (l *lookup) Train(ctx context.Context, t policy.Training) (policy.Trained, error) {
	s, err := parse(t.Settings)
	if err != nil {
		return policy.Trained{}, err
	}
	conn, err := simclient.Dial(t.Simulator)
	if err != nil {
		return policy.Trained{}, err
	}
	defer func() { _ = conn.Close() }() // nothing is written to it any more
	// The first environment tells the range of the loads, the second has the table's.
	e, err := simclient.Open(ctx, conn, &policyv1.OpenRequest{Lanes: 1})
	if err != nil {
		return policy.Trained{}, err
	}
	table := newTable(e.Opened(), s.Levels)
	e, err = simclient.Open(ctx, conn, &policyv1.OpenRequest{Lanes: lanes, Loads: &policyv1.Loads{Points: slices.Concat(table.loads()...)}})
	if err != nil {
		return policy.Trained{}, err
	}
	found, err := search(e, table, s.Steps, t)
	if err != nil {
		return policy.Trained{}, err
	}
	artefact, err := json.Marshal(table)
	mean := 0.0
	for _, worth := range found {
		mean += float64(worth) / float64(len(found))
	}
	return policy.Trained{Artefact: artefact, Summary: fmt.Sprintf("%d rows, found in %d steps; an interval is worth %.4g", len(found), s.Steps*lanes, mean)}, err
}

// search fills the table, and returns what its rows are worth.
func search(e *simclient.Env, table *table, steps int, t policy.Training) ([]float32, error) {
	rng := rand.New(rand.NewPCG(t.Seed, 1))
	axes, loads := e.Axes(), table.loads()
	best, worth, known := make([][]int32, len(loads)), make([]float32, len(loads)), make([]bool, len(loads))
	for i := range best {
		best[i] = make([]int32, len(axes))
	}
	obs, rewards := make([]float32, lanes*e.ObservationSize()), make([]float32, lanes)
	actions, flags := make([]int32, lanes*len(axes)), make([]bool, lanes)
	if err := e.Reset(t.Seed, obs); err != nil {
		return nil, err
	}
	rows := make([]int, lanes)
	for step := range steps {
		for lane := range lanes {
			rows[lane] = table.shown(obs[lane*e.ObservationSize():])
			tried := actions[lane*len(axes):][:len(axes)]
			copy(tried, best[rows[lane]])
			one := rng.IntN(len(axes))
			for axis, n := range axes {
				if axis == one || lane%4 == 0 {
					tried[axis] = int32(rng.IntN(n))
				}
			}
		}
		if err := e.Step(actions, obs, rewards, flags, flags); err != nil {
			return nil, err
		}
		for lane, row := range rows {
			if !known[row] || rewards[lane] > worth[row] {
				known[row], worth[row] = true, rewards[lane]
				copy(best[row], actions[lane*len(axes):])
			}
		}
		if step%16 == 15 {
			t.Progress(uint64(step+1), uint64(steps), fmt.Sprintf("an interval is worth %.4g in the best row", slices.Max(worth)))
		}
	}
	for row, choice := range best {
		table.Rows = append(table.Rows, settings(e.Opened().GetAxes(), choice))
		if !known[row] {
			return nil, fmt.Errorf("lookup: no lane came to %v requests/s in %d steps; use more steps, or fewer levels", loads[row], steps)
		}
	}
	return worth, nil
}

// settings are what a choice sets.
func settings(axes []*policyv1.Axis, choice []int32) (out policy.Action) {
	for i, a := range axes {
		n := len(a.GetKnobs())
		for j, k := range a.GetKnobs() {
			out = append(out, policy.Setting{
				KnobID: policy.KnobID{Kind: policy.KnobKind(k.GetKind()), Target: k.GetTarget(), Part: k.GetPart()},
				Value:  a.GetValues()[int(choice[i])*n+j],
			})
		}
	}
	return out
}
