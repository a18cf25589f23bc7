package loop

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
)

// random has everything happen to a loop that may: the authority is lowered and raised,
// policies are swapped by reloads, others change settings, signals and API server fail, plans
// are approved.
type random struct {
	t       *testing.T
	r       *rand.Rand
	f       *fake
	l       *Loop
	desk    *approve.Desk
	command levels
	policy  string // the active one; empty: none
	cycle   int
}

func newRandom(t *testing.T, seed uint64) *random {
	x := &random{t: t, r: rand.New(rand.NewPCG(seed, 7)), f: newFake(), desk: approve.NewDesk("shop"), command: levels{"act"}, policy: "planner"}
	x.reload()
	return x
}

// reload goes on with a new loop, as after a change of the rules file. With the same
// artefact the calibration is the same.
func (x *random) reload() {
	resume := Resume{}
	if x.l != nil {
		resume = x.l.Resume()
	}
	x.l = newLoop(x.t, x.f, "act", func(o *Options) {
		o.Authority, o.Desk, o.Resume = &x.command, x.desk, resume
		if x.policy == "" {
			o.Active = nil
		} else {
			o.Active.Name = x.policy
		}
	})
}

func (x *random) pick(words ...string) string { return words[x.r.IntN(len(words))] }

// happen changes something of what the next cycle will find.
func (x *random) happen() {
	f, r := x.f, x.r
	switch r.IntN(14) {
	case 0, 1:
		x.command = levels{x.pick("observe", "approve", "act", "act")}
	case 2:
		x.policy = x.pick("planner", "another", "")
		x.reload()
	case 3:
		f.status = policy.Status(r.IntN(4))
	case 4:
		f.live = action(.1*float64(r.IntN(8)), .1*float64(r.IntN(11)))
	case 5:
		f.liveErr = []error{nil, nil, errors.New("down")}[r.IntN(3)]
	case 6:
		f.applyErr = []error{nil, nil, errors.New("403")}[r.IntN(3)]
	case 7:
		f.decideErr = []error{nil, nil, errors.New("plugin died")}[r.IntN(3)]
	case 8:
		f.abstain, f.infeasible = r.IntN(6) == 0, r.IntN(4) == 0
	case 9:
		f.said = map[string]string{"VirtualService ns/vs": x.pick("observe", "approve", "act", "act", "?")}
	case 10:
		f.frozen = r.IntN(5) == 0
	case 11:
		f.status, f.liveErr, f.applyErr, f.decideErr, f.said, f.abstain, f.frozen, x.command = policy.Valid, nil, nil, nil, nil, false, false, levels{"act"}
	default:
		if p, ok := x.desk.Pending(); ok {
			if err := x.desk.Approve(p.ID, "alice"); err != nil {
				x.t.Fatal(err)
			}
		}
	}
	f.latency = .05 + .1*r.Float64()
	if f.want = nil; r.IntN(3) > 0 {
		f.want = f.live.Clone()
		v, _ := f.live.Get(block)
		f.want.Set(block, max(0, min(.8, v+.15*float64(r.IntN(3)-1))))
	}
}

func (x *random) step() Report {
	x.cycle++
	return cycles(x.l, x.cycle, 1)
}

// ownChoice says from the records alone whether the settings in force since an intent were
// the active policy's own choice, applied and converged.
func ownChoice(i journal.Intent, live policy.Action) bool {
	return i.Authority == "act" && i.PolicyRole == journal.RoleActive && i.Hold == "" && len(i.Edits) == 0 && i.Approval == nil &&
		live != nil && live.Equal(i.Guarded, policy.Rounding)
}

// No windup: debt and margin move with intervals of the active policy's own choice alone.
// But for the spread: it is no cost that is run up, but the measured error of the model, in
// whose units the margin is the debt. It only ever takes from the debt, at the ends of its range.
func TestNoWindup(t *testing.T) {
	counted, not := 0, 0
	for seed := range uint64(30) {
		x := newRandom(t, seed)
		before := x.step()
		for range 80 {
			x.happen()
			live := x.f.live.Clone()
			if x.f.liveErr != nil {
				live = nil
			}
			writes := x.f.applies()
			r := x.step()
			was, is := before.Control[0], r.Control[0]
			switch own := ownChoice(before.Intent, live); {
			case own:
				counted += is.Counted - was.Counted
			case is.Counted != was.Counted, math.Abs(is.Debt) > math.Abs(was.Debt), is.Spread == was.Spread && (math.Abs(is.Debt-was.Debt) > 1e-9 || math.Abs(is.Margin-was.Margin) > 1e-9):
				t.Fatalf("seed %d, cycle %d: debt %v to %v, margin %v to %v, after cycle %d at %s with hold %q",
					seed, x.cycle, was.Debt, is.Debt, was.Margin, is.Margin, x.cycle-1, before.Intent.Authority, before.Intent.Hold)
			default:
				not++
			}
			if x.f.applies() > writes && (!r.Intent.Act || r.Intent.Authority == "observe" || r.Intent.Authority == "approve" && r.Intent.Approval == nil) {
				t.Fatalf("seed %d, cycle %d: a write under %s", seed, x.cycle, r.Intent.Authority)
			}
			for _, s := range r.Intent.Sources {
				if authority.Above(rules.Authority(r.Intent.Authority), rules.Authority(s.Level)) {
					t.Fatalf("seed %d, cycle %d: %s in spite of %s", seed, x.cycle, r.Intent.Authority, s)
				}
			}
			before = r
		}
	}
	if counted < 50 || not < 100 {
		t.Errorf("%d intervals counted and %d not: the test shows little", counted, not)
	}
}

// Bumpless: a change of authority or policy by itself moves nothing of the control state,
// to the last bit, and writes nothing.
func TestChangesAreBumpless(t *testing.T) {
	for seed := range uint64(30) {
		x := newRandom(t, seed)
		for range x.r.IntN(60) {
			x.happen()
			x.step()
		}
		f := x.f // quiet: no new sample, and the policy wants what is in force
		f.status, f.liveErr, f.applyErr, f.decideErr, f.abstain, f.frozen, f.want = policy.Valid, nil, nil, nil, false, true, nil
		x.step()
		settled := x.step()
		writes := f.applies()
		for range 12 {
			switch x.r.IntN(3) {
			case 0:
				x.command = levels{x.pick("observe", "approve", "act")}
			case 1:
				f.said = map[string]string{"VirtualService ns/vs": x.pick("observe", "approve", "act", "?")}
			case 2:
				x.policy = x.pick("planner", "another", "")
				x.reload()
			}
			r := x.step()
			if d := cmp.Diff(settled.Control, r.Control); d != "" {
				t.Fatalf("seed %d, cycle %d, %s, policy %q: (-before +after)\n%s", seed, x.cycle, r.Intent.Authority, x.policy, d)
			}
			if f.applies() != writes {
				t.Fatalf("seed %d, cycle %d: a write by itself", seed, x.cycle)
			}
		}
	}
}

// A policy with another artefact starts with another model, and with the same debt and margin.
func TestAnotherArtefactKeepsDebtAndMargin(t *testing.T) {
	f := newFake()
	f.latency = .2
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 10)
	if r.Control[0].Counted == 0 {
		t.Fatal("nothing was counted")
	}
	next := newLoop(t, f, "act", func(o *Options) {
		o.Resume = l.Resume()
		o.Initial = func(string, string) margin.Calibration { return margin.Calibration{Margin: .3, Spread: .2} }
		o.Active.Name = "another"
	})
	f.frozen = true
	is, was := cycles(next, 11, 1).Control[0], r.Control[0]
	if is.Debt != was.Debt || is.Margin != was.Margin || is.Counted != was.Counted {
		t.Errorf("debt %v, margin %v; before %v, %v", is.Debt, is.Margin, was.Debt, was.Margin)
	}
}
