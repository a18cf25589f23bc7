package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// walk adds to what may happen: restarts, cycles that are woken, a full disk, requests that
// do not follow, a clock that jumps.
type walk struct {
	*random
	at       time.Time
	recorded *Loop           // that has its last intent on disk; nil: it has not
	began    *journal.Intent // the last cycle at its time that this process had; nil: none, or it is not on disk
}

// same holds what a process knows at its end against what the next one starts with.
func (w *walk) same(was, is Resume) {
	w.t.Helper()
	type kept struct {
		Cycle      uint64
		Commanded  policy.Action
		Baseline   map[string]json.RawMessage
		Changes    []int64
		HandedOver bool
		Control    margin.Control
		Evidence   evidence
	}
	text := func(r Resume) string {
		services := r.evidence.Follow.Services
		if r.evidence.Follow = (verify.State{}); len(services) > 0 {
			r.evidence.Follow.Services = services
		}
		b, err := json.Marshal(kept{r.Cycle, r.Commanded, r.Baseline, r.changes, r.handedOver, r.Control, r.evidence})
		if err != nil {
			w.t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(text(was), text(is)); diff != "" {
		w.t.Fatalf("after a restart (-was +is):\n%s", diff)
	}
}

// heal has all go well again, and puts back what others have changed.
func (w *walk) heal() {
	f := w.f
	f.status, f.abstain, f.frozen, f.said, w.command = policy.Valid, false, false, nil, levels{"act"}
	f.liveErr, f.prepareErr, f.applyErr, f.appendErr, f.decideErr = nil, nil, nil, nil, nil
	if w.l.commanded != nil {
		f.live = w.l.commanded.Clone()
	}
}

// restart begins a new process, which knows what is on disk.
func (w *walk) restart() {
	f := w.f
	resume := Resume{}
	if len(f.intents) > 0 {
		raw, err := json.Marshal(f.intents[len(f.intents)-1])
		if err != nil {
			w.t.Fatal(err)
		}
		var newest journal.Intent
		if err := json.Unmarshal(raw, &newest); err != nil {
			w.t.Fatal(err)
		}
		open := &newest
		if newest.Unresolved != 0 {
			i := slices.IndexFunc(f.intents, func(i journal.Intent) bool { return i.Cycle == newest.Unresolved })
			open = &f.intents[i]
		}
		if slices.ContainsFunc(f.outcomes, func(o journal.Outcome) bool { return o.Cycle == open.Cycle }) {
			open = nil
		}
		if resume, err = ResumeFrom(newest, open); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.recorded == w.l {
		w.same(w.l.Resume(), resume)
	}
	w.began = nil
	w.l = newLoop(w.t, f, "act", func(o *Options) {
		o.Authority, o.Desk, o.Resume = &w.command, w.desk, resume
		if w.policy == "" {
			o.Active = nil
		} else {
			o.Active.Name = w.policy
		}
	})
}

// Whatever happens in whatever order: nothing is written without an intent that acts on disk,
// nor beyond the authority; what protects is lowered on fresh data alone, and never in what
// is put back; each intent gets one outcome at most, and those that acted do get one.
func TestWalk(t *testing.T) {
	const seeds = 25
	ctx := context.Background()
	for seed := range uint64(seeds) {
		w := &walk{random: newRandom(t, 1000+seed), at: start}
		f, r := w.f, w.r
		f.split, f.offered = true, 100
		var before policy.Action
		f.during = func(event string) {
			if event != "apply" {
				return
			}
			if n := len(f.intents); f.events[len(f.events)-1] != journal.KindIntent || !f.intents[n-1].Act || !f.durable[n-1] {
				t.Fatalf("seed %d: written without an intent on disk: %v", seed, f.events)
			}
		}
		acted := map[uint64]bool{}
		for n := range 150 {
			w.happen()
			switch r.IntN(16) {
			case 0:
				w.restart()
			case 1:
				f.appendErr = []error{nil, errors.New("disk full")}[r.IntN(2)]
			case 2:
				f.follows = []policy.Action{nil, action(0, .5)}[r.IntN(2)]
			case 3:
				w.at = w.at.Add(time.Duration(r.IntN(300)-30) * time.Second)
			case 4:
				f.prepareErr = []error{nil, errors.New("webhook")}[r.IntN(2)]
			case 5, 6, 7:
				w.heal()
			}
			if f.want != nil && r.IntN(2) == 0 {
				v, _ := f.want.Get(block)
				f.want = action(v, .1*float64(r.IntN(11)))
			}
			before = f.live.Clone()
			applies, intents := f.applies(), len(f.intents)
			var report Report
			counted := w.l.control[0].Counted
			if r.IntN(5) == 0 {
				report = w.l.Woken(ctx, w.at.Add(2*time.Second), WokenByAlert)
			} else {
				w.at = w.at.Add(5 * time.Second)
				report = w.l.Cycle(ctx, w.at)
			}
			i := report.Intent
			wrote := f.applies() > applies
			where := fmt.Sprintf("seed %d, step %d, cycle %d", seed, n, i.Cycle)
			if wrote != i.Act || i.Act && (i.Authority == "observe" || i.Authority == "approve" && i.Approval == nil || i.Hold != "") {
				t.Fatalf("%s: wrote %v, act %v at %s, hold %q", where, wrote, i.Act, i.Authority, i.Hold)
			}
			if i.Act {
				acted[i.Cycle] = true
			}
			if now := w.l.control[0].Counted; now > counted {
				b := w.began
				if b == nil || i.Woken != "" || b.Authority != "act" || b.PolicyRole != journal.RoleActive || b.Policy != w.policy || b.Hold != "" ||
					len(b.Edits) > 0 || b.Reverts() || b.Approval != nil || guard.Suspends(b.Limits) || report.Outcome != nil && report.Outcome.Partial {
					t.Fatalf("%s: counted, though it began with %+v and ended with %+v", where, b, report.Outcome)
				}
			}
			recorded := len(f.intents) > intents
			if w.recorded = nil; recorded {
				w.recorded = w.l
			}
			if i.Woken == "" {
				w.began = nil
				if w.recorded == w.l {
					w.began = &i
				}
			}
			if len(f.intents) > intents+1 {
				t.Fatalf("%s: %d intents", where, len(f.intents)-intents)
			}
			was, _ := before.Get(block)
			is, _ := f.live.Get(block)
			fresh := !slices.ContainsFunc(i.State, func(s policy.Signal) bool { return s.Role != policy.RoleContext && s.Status != policy.Valid })
			if is < was && (!fresh || i.Reverts() || i.Limits.Frozen != "") {
				t.Fatalf("%s: blocking lowered from %v to %v; fresh %v, revert %+v, frozen %q", where, was, is, fresh, i.Revert, i.Limits.Frozen)
			}
		}
		f.appendErr, f.liveErr = nil, nil
		w.at = w.at.Add(5 * time.Second)
		w.l.Cycle(ctx, w.at)
		outcomes := map[uint64]int{}
		for _, o := range f.outcomes {
			outcomes[o.Cycle]++
		}
		for cycle, n := range outcomes {
			if n > 1 {
				t.Errorf("seed %d: %d outcomes of cycle %d", seed, n, cycle)
			}
		}
		for cycle := range acted {
			if outcomes[cycle] == 0 {
				t.Errorf("seed %d: cycle %d acted and has no outcome", seed, cycle)
			}
		}
	}
}
