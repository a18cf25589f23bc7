package eval

import (
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// Dataset returns the intervals as a model is fitted on them: the settings in
// force, and what was measured of them. It is an error if the trace is not of the mesh.
func (t *Trace) Dataset(m *rules.Mesh) (*dataset.Dataset, error) {
	out := dataset.Of(m.Name, m.Interval, m.Knobs(), m.PolicyServices())
	for _, in := range t.Intervals {
		row := dataset.Row{Settings: in.Live.Values()}
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
