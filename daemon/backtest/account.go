package backtest

import (
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// account is what is counted of a life, and the same of history over the same intervals.
// Slices are by service, [service][objective], or by knob.
type account struct {
	mesh       *mesh
	broken     [][]sum
	was        [][]sum
	carried    []sum
	carriedWas []sum
	offered    []sum

	intervals int
	tells     [factual + 1]int
	counts    counts
	moves     []moves
	acted     []Acted
	demoted   *Demotion
	timeline  *timeline // nil: of this life there is none
}

// counts are of cycles.
type counts struct {
	acts, infeasible, fallback int
	holds, edits, frozen       map[string]int
}

// moves are those of one knob.
type moves struct {
	changes, flaps int
	up, down       time.Time // of the last change to either side
	sum, was       sum       // of its settings, and of those in history
}

// mostActed of the acts are listed.
const mostActed = 200

func newAccount(m *mesh) *account {
	n := len(m.services)
	a := &account{
		mesh: m, carried: make([]sum, n), carriedWas: make([]sum, n), offered: make([]sum, n), moves: make([]moves, len(m.knobs)),
		counts: counts{holds: map[string]int{}, edits: map[string]int{}, frozen: map[string]int{}},
	}
	for _, s := range m.services {
		a.broken, a.was = append(a.broken, make([]sum, len(s.Objectives))), append(a.was, make([]sum, len(s.Objectives)))
	}
	return a
}

// add counts a cycle, and the interval before it in which the settings were live.
func (a *account) add(iv *lifecycle.Interval, r *loop.Report, live policy.Action, t telling) {
	a.intervals++
	a.tells[t]++
	into := &stretch{}
	if a.timeline != nil {
		into = a.timeline.stretch(iv.At)
		into.intervals++
	}
	if t >= modelled {
		into.covered++
		a.measure(iv, r, t, into)
	}
	for k := range a.moves {
		a.moves[k].sum.add(live[k].Value)
		if iv.Settings != nil {
			a.moves[k].was.add(iv.Settings[k].Value)
		}
	}
	if r.Intent.Act {
		into.acts++
	}
	a.decided(iv.At, r)
}

// measure counts what came of an interval.
func (a *account) measure(iv *lifecycle.Interval, r *loop.Report, t telling, into *stretch) {
	whole := a.timeline != nil
	i := 0
	for s, service := range a.mesh.services {
		carried := iv.Row.Carried[s]
		if t == modelled {
			carried = a.mesh.carried[s]
		}
		a.carried[s].add(carried)
		a.carriedWas[s].add(iv.Row.Carried[s])
		a.offered[s].add(iv.Row.Offered[s])
		if whole {
			into.carried[s].add(carried)
			into.was[s].add(iv.Row.Carried[s])
			into.offered[s].add(iv.Row.Offered[s])
		}
		for o, objective := range service.Objectives {
			if r.Outcome != nil && r.Outcome.Errors[i].Known {
				e := r.Outcome.Errors[i].Error
				a.broken[s][o].add(e)
				if whole {
					into.broken[s].add(e)
				}
			}
			if e, known := margin.Error(objective, iv.State.Find(service.Name, objective.Signal)); known {
				a.was[s][o].add(e)
				if whole {
					into.wasBroken[s].add(e)
				}
			}
			i++
		}
	}
}

// decided counts what a cycle did.
func (a *account) decided(at time.Time, r *loop.Report) {
	i := &r.Intent
	c := &a.counts
	if i.Hold != "" {
		c.holds[i.Hold]++
	}
	if i.Limits.Frozen != "" {
		c.frozen[i.Limits.Frozen]++
	}
	for _, e := range i.Edits {
		c.edits[e.Reason]++
	}
	if i.PolicyRole == journal.RoleFallback {
		c.fallback++
	}
	if i.Decision != nil && i.Decision.Infeasible {
		c.infeasible++
	}
	if r.Demoted != "" && a.demoted == nil {
		a.demoted = &Demotion{At: at, Why: r.Demoted}
	}
	if !i.Act {
		return
	}
	c.acts++
	if len(a.acted) < mostActed && a.timeline != nil {
		act := Acted{At: at, Policy: i.Policy, Changes: i.Plan, Reverts: i.Reverts()}
		if i.Decision != nil {
			act.Reason = i.Decision.Reason
		}
		a.acted = append(a.acted, act)
	}
	for _, change := range i.Plan {
		for k := range a.mesh.knobs {
			if a.mesh.knobs[k].KnobID == change.KnobID {
				a.moves[k].move(at, change.To > change.From, FlapIntervals*a.mesh.interval)
			}
		}
	}
}

// move counts a change of a knob, and whether it takes back one of a moment ago.
func (v *moves) move(at time.Time, up bool, moment time.Duration) {
	v.changes++
	last, other := &v.up, v.down
	if !up {
		last, other = &v.down, v.up
	}
	if !other.IsZero() && at.Sub(other) <= moment {
		v.flaps++
	}
	*last = at
}
