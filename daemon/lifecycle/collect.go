package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// Options say what a dataset is made of. Rules are required, and a journal, Prometheus, or
// both of them: with both, what was measured is Prometheus', and the settings are the
// journal's where it has them.
type Options struct {
	Rules      *rules.Mesh
	Journal    string      // its directory; empty: none
	Prometheus *Prometheus // nil: none

	// From and To are those of intervals, by their ends. Prometheus needs both; without it,
	// zero is no bound.
	From, To time.Time
	// Without are times that say nothing about the mesh. Alerts are names; while one fires,
	// whatever it is about, it is such a time.
	Without []Span
	Alerts  []string

	Progress func(done, of int) // intervals asked of Prometheus; nil: nobody is told
}

// Span is a time from its beginning up to its end.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Collect makes a dataset of all intervals that a mesh's journal holds.
func Collect(dir string, m *rules.Mesh) (*dataset.Dataset, error) {
	c := newCollection(Options{Rules: m, Journal: dir})
	if err := c.recall(); err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	return c.data, nil
}

// CollectFrom makes a dataset of intervals: what was in force, and what was measured at the
// end. An interval whose settings are not known, or were changed meanwhile, or had not
// settled, or were not followed by the requests, is left out, and counted in the report with
// the reason; a value that was not measured, or not anew, is NaN. Settings lie on the grid of
// the policies, and not on whole percents.
func CollectFrom(ctx context.Context, o Options) (*dataset.Dataset, *Report, error) {
	c := newCollection(o)
	if err := c.gather(ctx); err != nil {
		return nil, nil, fmt.Errorf("collect: %w", err)
	}
	return c.data, &c.report, nil
}

// gather takes the intervals from where they are known.
func (c *collection) gather(ctx context.Context) error {
	var err error
	switch {
	case c.o.Prometheus != nil:
		err = c.measure(ctx)
	case c.o.Journal != "":
		err = c.recall()
	default:
		err = errors.New("neither a journal nor Prometheus is given")
	}
	c.report.finish()
	return err
}

// collection is a dataset that is being made. It is given the intervals from the oldest to
// the newest.
type collection struct {
	o        Options
	knobs    []policy.Knob
	services []policy.Service
	data     *dataset.Dataset
	each     func(Interval) error // what becomes of those that were asked for
	left     dataset.Queue
	report   Report
}

func newCollection(o Options) *collection {
	services := o.Rules.PolicyServices()
	c := &collection{
		o: o, knobs: o.Rules.Knobs(), services: services, left: dataset.Queue{Services: services},
		report: Report{Mesh: o.Rules.Name, IntervalSeconds: o.Rules.Interval.Seconds(), Settings: map[Source]int{}, leftOut: map[Reason]int{}},
	}
	c.data = dataset.Of(o.Rules.Name, o.Rules.Interval, c.knobs, services)
	c.each = c.keep
	return c
}

// keep makes a row of an interval, if it is one.
func (c *collection) keep(iv Interval) error {
	if iv.Reason != "" {
		return nil
	}
	if err := c.data.Append(iv.Row); err != nil {
		return fmt.Errorf("interval that ended at %s: %w", iv.At.Format(time.RFC3339), err)
	}
	return nil
}

// interval is one that has ended.
type interval struct {
	at       time.Time     // its end
	settings policy.Action // in force in it, as far as that is known
	source   Source        // of the settings
	why      Reason        // it is left out; empty: nothing speaks against it so far
	state    policy.State  // measured at its end
	alerted  bool          // one of the given alerts fired
}

// add takes the next interval, and counts it or why it is left out.
func (c *collection) add(iv interval) error {
	foreign := c.left.Over(iv.settings, iv.state)
	if !c.asked(iv.at) {
		return nil
	}
	c.report.count(iv.at)
	row := c.row(iv)
	reason := iv.why
	switch {
	case slices.ContainsFunc(c.o.Without, func(s Span) bool { return iv.at.After(s.From) && iv.at.Add(-c.o.Rules.Interval).Before(s.To) }):
		reason = Incident
	case iv.alerted:
		reason = Alerted
	case reason != "":
	case foreign:
		reason = Queue
	case !measured(row):
		reason = Unmeasured
	}
	if reason != "" {
		c.report.leftOut[reason]++
	} else {
		c.report.Rows++
		c.report.Settings[iv.source]++
	}
	return c.each(Interval{At: iv.at, Settings: iv.settings, Reason: reason, State: iv.state, Row: row})
}

func (c *collection) asked(at time.Time) bool {
	return (c.o.From.IsZero() || at.After(c.o.From)) && (c.o.To.IsZero() || !at.After(c.o.To))
}

// row is what a dataset keeps of an interval.
func (c *collection) row(iv interval) dataset.Row {
	row := dataset.Row{Settings: iv.settings.Values()}
	known := func(v float64, ok bool) float64 {
		if !ok {
			return math.NaN()
		}
		return v
	}
	for _, s := range c.services {
		signal := string(policy.RoleLatency)
		if len(s.Objectives) > 0 {
			signal = s.Objectives[0].Signal
		}
		row.Offered = append(row.Offered, known(iv.state.Role(s.Name, policy.RoleOffered).Get()))
		row.Carried = append(row.Carried, known(iv.state.Role(s.Name, policy.RoleCarried).Get()))
		row.Latency = append(row.Latency, known(iv.state.Find(s.Name, signal).Get()))
	}
	return row
}

// measured reports whether anything of a row was.
func measured(r dataset.Row) bool {
	return slices.ContainsFunc(slices.Concat(r.Offered, r.Carried, r.Latency), func(v float64) bool { return !math.IsNaN(v) })
}
