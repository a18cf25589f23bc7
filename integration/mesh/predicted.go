package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// optimum is how many requests of each service the model would have admitted, had it known
// each interval's load: the action of the grid that refuses least of those whose predicted
// latencies are all within their bounds; the most refusing one where there is none.
func optimum(t *model.Table, clients [][]loadgen.Interval) ([]float64, error) {
	grid, err := t.Actions()
	if err != nil {
		return nil, err
	}
	admitted := make([][]float64, len(grid)) // share, by service of the table
	limit := make([]float64, len(t.Services))
	of := make([]int, len(t.Services)) // index in stack.Services
	for k, service := range t.Services {
		if of[k] = slices.Index(stack.Services, service); of[k] < 0 {
			return nil, fmt.Errorf("the artefact has a service %q", service)
		}
		limit[k] = bounds[service].Seconds()
	}
	for i, a := range grid {
		for _, service := range t.Services {
			b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: service})
			admitted[i] = append(admitted[i], 1-b)
		}
	}
	out, offered, latency := make([]float64, len(stack.Services)), make([]float64, len(of)), make([]float64, len(of))
	var corners []model.Corner
	for i := range clients[0] {
		for k := range of {
			offered[k] = float64(clients[of[k]][i].Offered) / interval.Seconds()
		}
		corners, _ = t.Corners(corners, offered, len(grid))
		best, least, carried := -1, 0, -1.0
		for a := range grid {
			value := 0.0
			for k := range of {
				value += offered[k] * admitted[a][k]
			}
			if sum(admitted[a]) < sum(admitted[least]) {
				least = a
			}
			if value <= carried {
				continue
			}
			t.Predict(latency, corners, a)
			if within(latency, limit) {
				best, carried = a, value
			}
		}
		if best < 0 {
			best = least
		}
		for k := range of {
			out[of[k]] += offered[k] * admitted[best][k] * interval.Seconds()
		}
	}
	return out, nil
}

func within(values, limits []float64) bool {
	for k, v := range values {
		if !(v <= limits[k]) {
			return false
		}
	}
	return true
}

// measured is what windvane itself tells of a run.
type measured struct {
	risks  map[string][]float64 // by service: the chance of a violation that the policy expected, by cycle
	stages stageCounts
}

// read reads a daemon that still runs: of the cycles within the record what the policy
// expected, and the stages of its loop.
func (m *measured) read(ctx context.Context, w *stack.Windvane, rec *record, planned bool) error {
	if !planned {
		return nil
	}
	m.risks = map[string][]float64{}
	for r, err := range journal.Read(daemon.JournalDirectory(w.State())) {
		if err != nil {
			return err
		}
		if r.Kind != journal.KindIntent || r.At.Before(rec.begin) || !r.At.Before(rec.end) {
			continue
		}
		var i journal.Intent
		if err := r.Decode(&i); err != nil {
			return err
		}
		if i.Decision == nil || i.FallbackReason != "" {
			continue
		}
		for _, p := range i.Decision.Expected {
			m.risks[p.Service] = append(m.risks[p.Service], p.Risk)
		}
	}
	var err error
	m.stages, err = readStages(ctx, w)
	return err
}
