package guard

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

var noon = time.Date(2026, 1, 7, 12, 0, 0, 0, time.UTC)

func change(kind policy.KnobKind, from, to float64) []policy.Change {
	return []policy.Change{{KnobID: policy.KnobID{Kind: kind, Target: "a"}, From: from, To: to}}
}

var moved = change(policy.Weight, .5, .6)

func TestCooldownEndsWithItsLastInstant(t *testing.T) {
	p := Pace{Cooldown: 7 * time.Second}
	h := p.After(nil, noon, moved)
	for after, want := range map[time.Duration]Reason{
		0: Cooldown, time.Second: Cooldown, 7*time.Second - time.Millisecond: Cooldown, 7 * time.Second: "", time.Hour: "",
	} {
		if got, why := p.Frozen(noon.Add(after), h); got != want || (why == "") != (want == "") {
			t.Errorf("%s after the change: %q (%s), want %q", after, got, why, want)
		}
	}
	if got, _ := p.Frozen(noon, nil); got != "" {
		t.Errorf("without a change: %q", got)
	}
	if got, _ := (Pace{}).Frozen(noon, h); got != "" {
		t.Errorf("without a cooldown: %q", got)
	}
}

// With an interval that is no shorter than the cooldown, each cycle may change something.
func TestACooldownWithinTheIntervalCostsNoCycle(t *testing.T) {
	p := Pace{Cooldown: 5 * time.Second, ChangesPerHour: 3600}
	var h History
	for i := range 1000 {
		at := noon.Add(time.Duration(i) * 5 * time.Second)
		if got, why := p.Frozen(at, h); got != "" {
			t.Fatalf("cycle %d: %s (%s)", i, got, why)
		}
		h = p.After(h, at, moved)
	}
}

func TestOnlyRaisingBlockingIsNotCounted(t *testing.T) {
	raised := change(policy.Blocking, .2, .8)
	for name, c := range map[string]struct {
		changes []policy.Change
		counted bool
	}{
		"nothing": {nil, false}, "raised": {raised, false}, "raised twice": {append(raised, raised...), false},
		"lowered": {change(policy.Blocking, .8, .7), true}, "a weight": {moved, true}, "replicas": {change(policy.Replicas, 1, 2), true},
		"raised, and a weight": {append(raised, moved...), true},
	} {
		p := Pace{Cooldown: time.Minute, ChangesPerHour: 1}
		if h := p.After(nil, noon, c.changes); (len(h) == 1) != c.counted {
			t.Errorf("%s: history %v, counted should be %v", name, h, c.counted)
		}
	}
}

// The budget is a sliding hour: held against a count of all changes that were admitted.
func TestChangeBudgetIsOfAnyHour(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := Pace{ChangesPerHour: 20}
	var h History
	var made []time.Time
	at, refused := noon, 0
	for range 1200 {
		at = at.Add(time.Duration(rng.IntN(240)) * time.Second)
		inHour := 0
		for _, m := range made {
			if at.Sub(m) < time.Hour {
				inHour++
			}
		}
		got, why := p.Frozen(at, h)
		if want := inHour >= 20; (got == ChangeBudget) != want {
			t.Fatalf("%d changes in the hour before: %q (%s)", inHour, got, why)
		}
		if got != "" {
			refused++
			continue
		}
		before := append(History{}, h...)
		next := p.After(h, at, moved)
		if len(next) > 20 || len(before) != len(h) || len(h) > 0 && before[0] != h[0] {
			t.Fatalf("the history went from %v to %v", before, next)
		}
		h, made = next, append(made, at)
	}
	if refused < 100 || len(made) < 100 {
		t.Errorf("%d refused and %d made: that tests one side", refused, len(made))
	}
	if _, why := p.Frozen(made[len(made)-1], h); why != "" && !strings.Contains(why, "room again in") {
		t.Errorf("why: %s", why)
	}
}

// A clock that is put back forgets no change, and freezes for no longer than the cooldown.
func TestClockIsPutBack(t *testing.T) {
	p := Pace{Cooldown: 7 * time.Second, ChangesPerHour: 2}
	h := p.After(p.After(nil, noon.Add(-time.Minute), moved), noon, moved)
	back := noon.Add(-24 * time.Hour)
	h = h.Until(back)
	if got, why := p.Frozen(back, h); got != ChangeBudget || !strings.Contains(why, "room again in 1h0m0s") {
		t.Errorf("at once: %q (%s)", got, why)
	}
	p.ChangesPerHour = 3
	if got, _ := p.Frozen(back.Add(7*time.Second), h); got != "" {
		t.Errorf("after the cooldown: %q", got)
	}
	if same := h.Until(noon); &same[0] != &h[0] {
		t.Error("a history that is not ahead was copied")
	}
}

// What lasts longest is what a person is told.
func TestTheLongestReasonIsGiven(t *testing.T) {
	p := Pace{Cooldown: time.Minute, ChangesPerHour: 1}
	h := p.After(nil, noon, moved)
	if got, _ := p.Frozen(noon, h); got != ChangeBudget {
		t.Errorf("budget and cooldown: %q", got)
	}
	p.Freezes = []FreezeWindow{{Name: "now", Start: noon}}
	if got, why := p.Frozen(noon, h); got != Freeze || why != "freeze window now: from 2026-01-07T12:00:00Z" {
		t.Errorf("all of them: %q (%s)", got, why)
	}
	for reason, want := range map[Reason]bool{"": false, Cooldown: false, ChangeBudget: true, Freeze: true} {
		if got := Suspends(policy.Limits{Frozen: string(reason)}); got != want {
			t.Errorf("%q suspends: %v, want %v", reason, got, want)
		}
	}
}
