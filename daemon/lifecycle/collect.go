package lifecycle

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// Collect makes a dataset of the intervals that a mesh's journal holds: what was in
// force, and what was measured at the end. An interval whose settings are not known,
// or were changed meanwhile, by somebody else or by a cycle that was woken, or had not
// settled, or were not followed by the requests, is left out; a value that was not
// measured, or not anew, is NaN. Settings are taken as they were commanded, so that
// they lie on the grid of the policies and not on whole percents.
func Collect(dir string, m *rules.Mesh) (*dataset.Dataset, error) {
	services := m.PolicyServices()
	d := dataset.Of(m.Name, m.Interval, m.Knobs(), services)
	var open *journal.Intent
	left := queue{services: services}
	for r, err := range journal.Read(dir) {
		if err != nil {
			return nil, fmt.Errorf("collect: %w", err)
		}
		if r.Mesh != m.Name {
			continue
		}
		switch r.Kind {
		case journal.KindIntent:
			open = new(journal.Intent)
			if err := r.Decode(open); err != nil {
				return nil, fmt.Errorf("collect: %w", err)
			}
		case journal.KindOutcome:
			var o journal.Outcome
			if err := r.Decode(&o); err != nil {
				return nil, fmt.Errorf("collect: %w", err)
			}
			if open == nil || o.Cycle != open.Cycle {
				continue
			}
			if left.over(held(*open), o.State) {
				continue
			}
			if row, ok := rowOf(d.Knobs, services, *open, o); ok {
				if err := d.Append(row); err != nil {
					return nil, fmt.Errorf("collect: cycle %d: %w", o.Cycle, err)
				}
			}
		}
	}
	return d, nil
}

// held are the settings that an intent left in force.
func held(i journal.Intent) policy.Action {
	if i.Act {
		return i.Guarded
	}
	return i.Live
}

// rowOf is the interval between an intent and its outcome; false if its settings are
// not known, or are those of other knobs.
func rowOf(ids []policy.KnobID, services []policy.Service, i journal.Intent, o journal.Outcome) (dataset.Row, bool) {
	held := held(i)
	away := o.Verified != nil && len(o.Verified.Away) > 0
	if o.Partial || away || o.Live == nil || len(held) != len(ids) || !held.Equal(o.Live, policy.Rounding) {
		return dataset.Row{}, false
	}
	for k, id := range ids {
		if held[k].KnobID != id {
			return dataset.Row{}, false
		}
	}
	row := dataset.Row{Settings: held.Values()}
	known := func(v float64, ok bool) float64 {
		if !ok {
			return math.NaN()
		}
		return v
	}
	for _, s := range services {
		signal := string(policy.RoleLatency)
		if len(s.Objectives) > 0 {
			signal = s.Objectives[0].Signal
		}
		row.Offered = append(row.Offered, known(o.State.Role(s.Name, policy.RoleOffered).Get()))
		row.Carried = append(row.Carried, known(o.State.Role(s.Name, policy.RoleCarried).Get()))
		row.Latency = append(row.Latency, known(o.State.Find(s.Name, signal).Get()))
	}
	return row, true
}
