package eval

import (
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// Dataset returns the intervals as a model is fitted on them: the settings in
// force, and what was measured of them. It is an error if the trace is not of the mesh.
func (t *Trace) Dataset(m *rules.Mesh) (*dataset.Dataset, error) {
	var ids []policy.KnobID
	for _, k := range m.Knobs() {
		ids = append(ids, k.KnobID)
	}
	var names []string
	for _, s := range m.PolicyServices() {
		names = append(names, s.Name)
	}
	out := dataset.New(m.Name, m.Interval.Seconds(), ids, names)
	for _, in := range t.Intervals {
		var row dataset.Row
		for _, s := range in.Live {
			row.Settings = append(row.Settings, s.Value)
		}
		for _, s := range in.Services {
			row.Offered = append(row.Offered, s.Offered)
			row.Carried = append(row.Carried, s.Carried)
			row.Latency = append(row.Latency, s.Latency)
		}
		if err := out.Append(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}
