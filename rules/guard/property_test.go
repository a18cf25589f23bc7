package guard

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// special are values that arithmetic stumbles over: NaN with two payloads, infinities,
// negative zero, the smallest and the largest numbers, and neighbours of 0 and 1.
var special = []float64{
	math.NaN(), math.Float64frombits(0xfff8dead0000beef), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1,
	5e-324, -5e-324, 2.2e-308, 1e308, -math.MaxFloat64, math.MaxFloat64, 1 + 1e-9, 1 - 1e-9, 1e-9, -1e-9, math.Nextafter(1, 2), math.Nextafter(1, 0),
}

// someMesh draws a mesh in any condition: up to five services and two workloads, what is
// in force anywhere in the ranges, also beyond the caps, loads that are none, huge or
// not known, and any limits.
func someMesh(rng *rand.Rand) policy.Observation {
	var o policy.Observation
	for i := range 1 + rng.IntN(5) {
		name := "s" + strconv.Itoa(i)
		o.Services = append(o.Services, policy.Service{
			Name: name, Value: 1, Floor: float64(rng.IntN(2)) * 20 * rng.Float64(),
			Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}},
		})
		o.State = append(o.State, someSignal(rng, name, "carried", 9), someSignal(rng, name, "latency", .05), someSignal(rng, name, "offered", 20*rng.Float64()))
		if rng.IntN(4) > 0 {
			o.Knobs = append(o.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: 1 - .9*rng.Float64()*float64(rng.IntN(2))})
		}
		for part := range rng.IntN(3) * (2 + rng.IntN(2)) / 2 {
			o.Knobs = append(o.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: "v" + strconv.Itoa(part)}, Service: name, Max: 1})
		}
	}
	for i := range rng.IntN(3) {
		o.Knobs = append(o.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "ns/w" + strconv.Itoa(i)}, Min: 1, Max: float64(1 + rng.IntN(9))})
	}
	policy.SortKnobs(o.Knobs)
	o.State.Sort()
	o.Live = someLive(rng, o.Knobs)
	o.Limits = policy.Limits{MaxStep: rng.Float64(), TotalBlocking: rng.Float64()}
	switch rng.IntN(8) {
	case 0:
		o.Limits.TotalBlocking = float64(rng.IntN(2))
	case 1:
		o.Limits.MaxStep = []float64{1e-12, 1}[rng.IntN(2)]
	}
	if rng.IntN(2) == 0 {
		o.Limits.Frozen = string([]Reason{Cooldown, ChangeBudget, Freeze}[rng.IntN(3)])
	}
	return o
}

func someSignal(rng *rand.Rand, service, name string, v float64) policy.Signal {
	s := policy.Signal{Name: name, Service: service, Role: policy.Role(name), Value: v, Status: policy.Valid}
	switch rng.IntN(16) {
	case 0:
		s.Status = policy.Status(rng.IntN(4))
	case 1:
		s.Value = special[rng.IntN(len(special))]
	}
	return s
}

func someLive(rng *rand.Rand, knobs []policy.Knob) policy.Action {
	var a policy.Action
	left := 1.0
	for i, k := range knobs {
		v := rng.Float64() * float64(rng.IntN(3)) / 2
		switch k.Kind {
		case policy.Weight:
			last := i+1 == len(knobs) || knobs[i+1].Target != k.Target
			if v *= left; last {
				v = left
			}
			if left -= v; last {
				left = 1
			}
		case policy.Blocking:
			v *= k.Max
		case policy.Replicas:
			v = math.Round(k.Min + v*(k.Max-k.Min))
		}
		a = append(a, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	return a
}

// answer reads a policy's answer from bytes, nine for each knob: what is done to the
// setting, and its value. It is as far from an action as the wire lets it be.
func answer(o policy.Observation, b []byte) policy.Action {
	var a policy.Action
	left := 1.0
	for i, k := range o.Knobs {
		op, bits := byte(0), uint64(0)
		if len(b) >= 9 {
			op, bits, b = b[0], binary.LittleEndian.Uint64(b[1:]), b[9:]
		}
		if i > 0 && o.Knobs[i-1].Target != k.Target {
			left = 1
		}
		share := float64(bits>>11) / (1 << 53)
		s := policy.Setting{KnobID: k.KnobID, Value: share}
		switch op >> 3 & 7 {
		case 0:
			s.Value = math.Float64frombits(bits)
		case 1:
			s.Value = special[bits%uint64(len(special))]
		case 2, 3:
			s.Value = left * share
			if k.Kind == policy.Replicas {
				s.Value = math.Round(k.Min + share*(k.Max-k.Min))
			}
		case 4, 5:
			s.Value = left // what is missing to a sum of 1
		case 6:
			s.Value = o.Live[i].Value
		}
		left -= s.Value
		switch op & 31 {
		case 0: // missing
		case 1: // twice
			a = append(a, s, policy.Setting{KnobID: k.KnobID, Value: 1 - s.Value})
		case 2: // of nothing that there is
			s.Part += "x"
			a = append(a, s)
		case 3: // out of order
			a = append(policy.Action{s}, a...)
		default:
			a = append(a, s)
		}
	}
	return a
}

// problem says which of the guard's promises an answer breaks; empty: none.
func problem(o policy.Observation, want policy.Action) string {
	r := Limit(o, want)
	if err := r.Action.Validate(o.Knobs); err != nil {
		return err.Error()
	}
	again := Limit(o, r.Action)
	if !again.Action.Equal(r.Action, slack) || len(again.Edits) > 0 {
		return fmt.Sprintf("not idempotent: then %v, edits %+v", again.Action, again.Edits)
	}
	if checked := Check(o, want); checked.Refused != "" && !checked.Action.Equal(o.Live, 0) || checked.Refused == "" && !checked.Action.Equal(r.Action, 0) {
		return fmt.Sprintf("checked it is %v (%s)", checked.Action, checked.Refused)
	}
	total, blocked := 0.0, 0.0
	for i, k := range o.Knobs {
		if k.Kind == policy.Blocking {
			total += Weight(o, k.Service)
			blocked += Weight(o, k.Service) * r.Action[i].Value
		}
	}
	most := o.Limits.TotalBlocking * total
	if blocked > most*(1+1e-6) {
		return fmt.Sprintf("%v of %v requests/s blocked", blocked, total)
	}
	for i, k := range o.Knobs {
		if p := settingProblem(o, want, k, o.Live[i].Value, r.Action[i].Value, total > 0 && blocked >= most*(1-1e-6)); p != "" {
			return fmt.Sprintf("%s from %v to %v: %s", k.KnobID, o.Live[i].Value, r.Action[i].Value, p)
		}
	}
	return ""
}

// settingProblem is problem for one knob. Capped says that no more may be blocked in all.
func settingProblem(o policy.Observation, want policy.Action, k policy.Knob, live, v float64, capped bool) string {
	step := o.Limits.MaxStep
	if o.Limits.Frozen != "" {
		step = 0
	}
	if v == 0 && math.Signbit(v) {
		return "negative zero"
	}
	if k.Kind != policy.Blocking {
		if math.Abs(v-live) > step+1e-6 && (k.Kind == policy.Weight || step == 0) {
			return "further than a step"
		}
		return ""
	}
	floor, known := floorBlocking(o, k.Service)
	if !known {
		floor = 1
	}
	if v > floor+1e-6 {
		return fmt.Sprintf("beyond the floor, %v", floor)
	}
	if v < math.Min(live, math.Min(k.Max, floor))-step-1e-6 && !capped {
		return "lowered further than a step"
	}
	if w, ok := want.Get(k.KnobID); ok && w > live && !math.IsInf(w, 1) && !capped && v < math.Min(w, math.Min(k.Max, floor))-1e-6 {
		return fmt.Sprintf("to be raised to %v", w)
	}
	return ""
}

// answers is how many random answers TestProperties tries: GUARD_ANSWERS, or as many as
// take a second or two with the race detector.
func answers(t *testing.T) int {
	v := os.Getenv("GUARD_ANSWERS")
	if v == "" {
		return 8_000
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("GUARD_ANSWERS: %v", err)
	}
	return n
}

// Whatever a policy answers, what the guard lets pass is within the bounds, the floors, the
// cap and the pace; raising blocking waits for the cap, the bounds and the floors alone;
// and a second look changes nothing.
func TestProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	n, frozen, refused, edited := answers(t), 0, 0, 0
	b := make([]byte, 9*32)
	for range n {
		o := someMesh(rng)
		for i := 0; i < len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], rng.Uint64())
		}
		for i := 0; rng.IntN(2) == 0 && i < len(b); i += 9 {
			b[i] |= 4 | 16 // mostly sound
		}
		want := answer(o, b)
		if p := problem(o, want); p != "" {
			t.Fatalf("limits %+v\nlive %v %v\nwant %v %v\nfloors and loads %+v %v\n%s", o.Limits, o.Live, o.Live.Values(), want, want.Values(), o.Services, o.State, p)
		}
		switch r := Check(o, want); {
		case r.Refused != "":
			refused++
		case o.Limits.Frozen != "":
			frozen++
		case len(r.Edits) > 0:
			edited++
		}
	}
	if frozen < n/10 || refused < n/10 || edited < n/10 || frozen+refused+edited > n*99/100 {
		t.Errorf("of %d answers %d are frozen, %d refused and %d edited: that tests one side", n, frozen, refused, edited)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), make([]byte, 9*12))
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) {
		o := someMesh(rand.New(rand.NewPCG(seed, 7)))
		want := answer(o, b)
		if p := problem(o, want); p != "" {
			t.Fatalf("limits %+v\nlive %v %v\nwant %v %v\nfloors and loads %+v %v\n%s", o.Limits, o.Live, o.Live.Values(), want, want.Values(), o.Services, o.State, p)
		}
	})
}
