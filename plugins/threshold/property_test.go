package threshold

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// changes writes what differs between two actions.
func changes(from, to policy.Action) string {
	var out []string
	for _, c := range policy.Diff(from, to, 1e-9) {
		out = append(out, fmt.Sprintf("%s %s->%s", c.KnobID, short(c.From), short(c.To)))
	}
	return strings.Join(out, " ")
}

func short(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'g', -1, 64) }

// anything returns an observation with a live action that fits its knobs, and
// otherwise with numbers and statuses of any kind.
func anything(r *rand.Rand) policy.Observation {
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64}
	number := func(typical float64) float64 {
		if r.IntN(12) == 0 {
			return odd[r.IntN(len(odd))]
		}
		return typical * 2 * r.Float64()
	}
	names := []string{"cheap", "dear", "other"}
	m := mesh{latency: map[string]float64{}, offered: map[string]float64{}, carried: map[string]float64{}, live: map[string]float64{}}
	level := .1 * r.Float64() // so that all are low from time to time
	for _, n := range names {
		if r.IntN(8) > 0 {
			m.latency[n] = number(level)
		}
		m.offered[n] = number(10)
		if r.IntN(2) == 0 {
			m.carried[n] = number(5)
		}
		m.live["blocking:"+n] = float64(r.IntN(6)) / 5
	}
	m.live["replicas:default/v1"] = float64(1 + r.IntN(3))
	m.change = func(o *policy.Observation) {
		for i := range o.State {
			if r.IntN(10) == 0 {
				o.State[i].Status = policy.Status(r.IntN(5))
			}
		}
		o.Limits = policy.Limits{MaxStep: number(.2), TotalBlocking: number(.5)}
		for i := range o.Services {
			o.Services[i].Value, o.Services[i].Floor = number(2), number(2)
			o.Services[i].Objectives[0].Bound = number(.1)
		}
	}
	return m.observation()
}

func TestDecideOnAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := New()
	raised, restored, held := 0, 0, 0
	for i := range 10000 {
		o := anything(r)
		before := fmt.Sprint(o)
		d, err := p.Decide(t.Context(), o)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if err := d.Action.Validate(o.Knobs); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		again, err := New().Decide(t.Context(), o)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%d: not deterministic: %v, %v, %v", i, d, again, err)
		}
		if fmt.Sprint(o) != before {
			t.Fatalf("%d: the observation was changed", i)
		}
		up, down := moved(o, d.Action)
		if down && !measured(o) {
			t.Fatalf("%d: loosened although a signal is not valid: %s", i, d.Reason)
		}
		switch {
		case up:
			raised++
		case down:
			restored++
		default:
			held++
		}
	}
	if raised < 1000 || restored < 300 || held < 1000 {
		t.Errorf("raised %d, restored %d, held %d: the test does not cover all rules", raised, restored, held)
	}
}

// moved reports whether protection was raised or loosened anywhere.
func moved(o policy.Observation, a policy.Action) (up, down bool) {
	for _, c := range policy.Diff(o.Live, a, 0) {
		up, down = up || c.To > c.From, down || c.To < c.From
	}
	return up, down
}

// measured reports whether each objective's signal is valid, or there is nothing
// to measure because nothing is carried.
func measured(o policy.Observation) bool {
	for _, s := range o.Services {
		carried, ok := o.State.Role(s.Name, policy.RoleCarried).Get()
		for _, objective := range s.Objectives {
			if o.State.Find(s.Name, objective.Signal).Status != policy.Valid && !(ok && carried == 0) {
				return false
			}
		}
	}
	return true
}

// The guard has nothing to edit as long as it had nothing to edit in the live action.
func TestGuardAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	checked := 0
	for i := range 20000 {
		o := anything(r)
		if g := guard.Check(o, o.Live); g.Refused != "" || len(g.Edits) > 0 {
			continue
		}
		if !finite(o.Limits.MaxStep) || !finite(o.Limits.TotalBlocking) || o.Limits.MaxStep < 0 || o.Limits.TotalBlocking < 0 {
			continue
		}
		d, err := New().Decide(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if g := guard.Check(o, d.Action); len(g.Edits) > 0 {
			t.Fatalf("%d: %s: guard edits %+v", i, d.Reason, g.Edits)
		}
		checked++
	}
	if checked < 1000 {
		t.Errorf("only %d observations were checked", checked)
	}
}
