package lifecycle

import (
	"iter"
	"slices"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// recall takes the intervals of the journal.
func (c *collection) recall() error {
	for iv, err := range c.recorded() {
		if err == nil {
			err = c.add(iv)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recorded yields the intervals of the mesh's journal, oldest first. Settings are as they were
// commanded.
func (c *collection) recorded() iter.Seq2[interval, error] {
	return func(yield func(interval, error) bool) {
		var open *journal.Intent
		for r, err := range journal.Read(c.o.Journal) {
			switch {
			case err != nil:
			case r.Mesh != c.o.Rules.Name:
				continue
			case r.Kind == journal.KindIntent:
				open = new(journal.Intent)
				err = r.Decode(open)
			case r.Kind == journal.KindOutcome:
				var o journal.Outcome
				err = r.Decode(&o)
				if err == nil && open != nil && o.Cycle == open.Cycle && !yield(c.between(r, *open, o), nil) {
					return
				}
			}
			if err != nil {
				yield(interval{}, err)
				return
			}
		}
	}
}

// between is the interval between an intent and its outcome.
func (c *collection) between(r journal.Record, i journal.Intent, o journal.Outcome) interval {
	iv := interval{at: r.At, settings: held(i), source: FromJournal, state: o.State}
	iv.alerted = slices.ContainsFunc(i.Alerts, func(a journal.Alert) bool { return slices.Contains(c.o.Alerts, a.Name) })
	switch {
	case o.Partial:
		iv.why = Settling
	case o.Verified != nil && len(o.Verified.Away) > 0:
		iv.why = NotFollowed
	case o.Live == nil || iv.settings == nil:
		iv.why = Unknown
	case !c.declared(iv.settings):
		iv.why = OtherKnobs
	case !iv.settings.Equal(o.Live, policy.Rounding):
		iv.why = Changed
	}
	return iv
}

// held are the settings that an intent left in force.
func held(i journal.Intent) policy.Action {
	if i.Act {
		return i.Guarded
	}
	return i.Live
}

// declared reports whether settings are those of the mesh's knobs.
func (c *collection) declared(a policy.Action) bool {
	return slices.EqualFunc(a, c.knobs, func(s policy.Setting, k policy.Knob) bool { return s.KnobID == k.KnobID })
}

// diary is the journal's intervals, looked up in their order.
type diary struct {
	*collection
	read func() (interval, error, bool)
	next interval // not yet passed
	over bool     // there is none
}

// lookUp takes what the journal has of an interval, later than the ones before.
func (d *diary) lookUp(x *candidate) error {
	for !d.over && d.next.at.Before(x.at) {
		var err error
		var more bool
		if d.next, err, more = d.read(); err != nil {
			return err
		}
		d.over = !more
	}
	if d.over || !d.next.at.Equal(x.at) {
		return nil
	}
	x.journalled = true
	x.settings, x.source, x.why = d.next.settings, d.next.source, d.next.why
	x.alerted = x.alerted || d.next.alerted
	if !measured(d.row(x.interval)) {
		x.state = d.next.state // Prometheus keeps samples for a shorter time
	}
	return nil
}
