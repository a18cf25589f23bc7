package promotion

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

// Canary says of each thing that a canary has to show whether it has. The evidence is of the policy
// beside itself, and counts from the time that it became one.
func (e *Evidence) Canary(a Asked, since time.Time) []Item {
	t := journal.Trial{Policy: e.Policy, Active: e.Active}
	for _, b := range append(slices.Clip(e.blocks), e.open) {
		if !b.From.Before(since) {
			add(&t, b)
		}
	}
	gap := a.gap(&t)
	if predicted(&t) == 0 && t.Cycles >= leastCycles {
		gap = Item{Code: Gap, State: NotSaid, Why: "it predicts nothing"}
	}
	return []Item{gap, a.canary(&t)}
}

func (a Asked) canary(t *journal.Trial) Item {
	want, least := a.cycles(a.CanaryMinimum), -1
	out := Item{Code: Canary, State: Pass}
	worst := math.Inf(-1)
	for _, s := range a.Services {
		for _, o := range s.Objectives {
			var of journal.TrialObjective
			for _, x := range t.Objectives {
				if x.Service == s.Name && x.Signal == o.Signal {
					of = x
				}
			}
			if least < 0 || of.Same < least {
				least = of.Same
			}
			share := of.SameViolated / math.Max(1, float64(of.Same))
			if over := share - o.Budget - a.Tolerance; over > worst {
				worst = over
				out.Why = fmt.Sprintf("%s of %s was broken in %.3g %% of %d intervals that it decided as a canary; the error budget is %.3g %%, and %.3g points more are tolerated",
					o.Signal, s.Name, 100*share, of.Same, 100*o.Budget, 100*a.Tolerance)
			}
		}
	}
	switch {
	case least < want:
		out.State, out.Needs = TooFew, a.left(want-max(0, least))
	case worst > 0:
		out.State, out.Needs = Fail, "to be demoted, or fewer violations over a longer time"
	}
	return out
}
