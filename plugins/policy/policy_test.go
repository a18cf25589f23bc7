package policy

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func twoRoutes(levels int) []Knob {
	knobs := []Knob{
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/b", Part: "v1"}, Max: 1, Levels: levels},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/b", Part: "v2"}, Max: 1, Levels: levels},
		{KnobID: KnobID{Kind: Blocking, Target: "b"}, Max: .8, Levels: 5},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/a", Part: "v1"}, Max: 1, Levels: levels},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/a", Part: "v2"}, Max: 1, Levels: levels},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/a", Part: "v3"}, Max: 1, Levels: levels},
	}
	SortKnobs(knobs)
	return knobs
}

func TestGridHoldsEveryActionOnce(t *testing.T) {
	knobs := twoRoutes(6)
	grid, err := Grid(knobs)
	if err != nil {
		t.Fatal(err)
	}
	if want := 5 * 21 * 6; len(grid) != want { // blocking x weights of three x weights of two
		t.Fatalf("%d actions, want %d", len(grid), want)
	}
	seen := map[string]bool{}
	for _, a := range grid {
		if err := a.Validate(knobs); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(b)] {
			t.Fatalf("%s twice", b)
		}
		seen[string(b)] = true
	}
}

func TestGridRefuses(t *testing.T) {
	tests := map[string][]Knob{
		"too many": twoRoutes(1000),
		"no level": {{KnobID: KnobID{Kind: Blocking, Target: "b"}, Max: 1}},
		"no weights in range": {
			{KnobID: KnobID{Kind: Weight, Target: "t", Part: "v1"}, Min: .3, Max: .4, Levels: 2},
			{KnobID: KnobID{Kind: Weight, Target: "t", Part: "v2"}, Max: 1, Levels: 2},
		},
	}
	for name, knobs := range tests {
		if _, err := Grid(knobs); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	knobs := twoRoutes(6)
	good, err := Grid(knobs)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(Action) Action{
		"not a number": func(a Action) Action { a[0].Value = math.NaN(); return a },
		"beyond":       func(a Action) Action { a[0].Value = .9; return a },
		"sum":          func(a Action) Action { a[len(a)-1].Value = 1 - a[len(a)-1].Value/2; a[len(a)-2].Value = .7; return a },
		"missing":      func(a Action) Action { return a[1:] },
		"other knob":   func(a Action) Action { a[0].Target = "x"; return a },
	} {
		if err := change(good[7].Clone()).Validate(knobs); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKnobIDRoundTrip(t *testing.T) {
	for _, s := range []string{"blocking:information", "replicas:default/node-v1", "weight:default/front/information:v1"} {
		id, err := ParseKnobID(s)
		if err != nil || id.String() != s {
			t.Errorf("%q -> %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "weight", "weight:x", "blocking:a:b", "colour:x", "blocking:"} {
		if id, err := ParseKnobID(s); err == nil {
			t.Errorf("%q -> %v, want an error", s, id)
		}
	}
}

func TestDiffListsWhatMoves(t *testing.T) {
	knobs := twoRoutes(6)
	grid, err := Grid(knobs)
	if err != nil {
		t.Fatal(err)
	}
	live, want := grid[0], grid[len(grid)-1]
	moved := live.Clone()
	for _, c := range Diff(live, want, 1e-9) {
		if from, _ := live.Get(c.KnobID); from != c.From {
			t.Errorf("%s from %v, live is %v", c.KnobID, c.From, from)
		}
		moved.Set(c.KnobID, c.To)
	}
	if d := cmp.Diff(want, moved); d != "" {
		t.Errorf("live with the diff applied (-want +got):\n%s", d)
	}
}

func TestAnUnfilledSignalIsAbsent(t *testing.T) {
	if v, ok := (Signal{Value: 3}).Get(); ok || v != 0 {
		t.Errorf("got %v, %v from a signal without status", v, ok)
	}
	if s := (State{}).Find("a", "latency"); s.Status != Absent {
		t.Errorf("status of a missing signal: %s", s.Status)
	}
}

func TestValuesAreInTheOrderOfTheSettings(t *testing.T) {
	a := Action{{KnobID{Kind: Blocking, Target: "a"}, .2}, {KnobID{Kind: Replicas, Target: "ns/n"}, 3}}
	if d := cmp.Diff([]float64{.2, 3}, a.Values()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
