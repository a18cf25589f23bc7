package eval

import (
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// Dataset returns the intervals as a model is fitted on them: the settings in
// force, and what was measured of them. It is an error if the trace is not of the mesh.
func (t *Trace) Dataset(m *rules.Mesh) (*dataset.Dataset, error) {
	out := dataset.Of(m.Name, m.Interval, m.Knobs(), m.PolicyServices())
	return out, t.fill(out, func(*Interval) bool { return true })
}

// Explored is Dataset without the intervals that began with a queue of other settings, as
// `windvane collect` makes one.
func (t *Trace) Explored(m *rules.Mesh) (*dataset.Dataset, error) {
	services := m.PolicyServices()
	out, left := dataset.Of(m.Name, m.Interval, m.Knobs(), services), dataset.Queue{Services: services}
	return out, t.fill(out, func(in *Interval) bool { return !left.Over(in.Live, in.State) })
}

// fill appends the intervals that are to be kept; each is asked, in their order.
func (t *Trace) fill(out *dataset.Dataset, keep func(*Interval) bool) error {
	for i := range t.Intervals {
		in := &t.Intervals[i]
		if !keep(in) {
			continue
		}
		row := dataset.Row{Settings: in.Live.Values()}
		for _, s := range in.Services {
			row.Offered = append(row.Offered, s.Offered)
			row.Carried = append(row.Carried, s.Carried)
			row.Latency = append(row.Latency, s.Latency)
		}
		if err := out.Append(row); err != nil {
			return err
		}
	}
	return nil
}
