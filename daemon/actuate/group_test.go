package actuate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake owns the knobs that it has live settings of.
type fake struct {
	live     policy.Action
	liveErr  error
	said     map[string]string
	applyErr error
	applied  []policy.Action
	prepared []policy.Action
}

func (f *fake) Live(context.Context) (policy.Action, map[string]string, error) {
	return f.live, f.said, f.liveErr
}

func (f *fake) Prepare(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	f.prepared = append(f.prepared, want)
	return map[string]json.RawMessage{want[0].Target: []byte("1")}, f.applyErr
}

func (f *fake) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	f.applied = append(f.applied, want)
	return f.applyErr
}

func (f *fake) Owns(id policy.KnobID) bool {
	_, ok := f.live.Get(id)
	return ok
}

func blocking(service string, v float64) policy.Setting {
	return policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: service}, Value: v}
}

func replicas(deployment string, v float64) policy.Setting {
	return policy.Setting{KnobID: policy.KnobID{Kind: policy.Replicas, Target: deployment}, Value: v}
}

func two() (Group, *fake, *fake) {
	a := &fake{live: policy.Action{replicas("x", 1), replicas("y", 2)}}
	b := &fake{live: policy.Action{blocking("a", .1), blocking("z", .2)}}
	return Group{a, b}, a, b
}

func TestLive(t *testing.T) {
	g, a, b := two()
	a.said, b.said = map[string]string{"VirtualService ns/x": "observe"}, map[string]string{"VirtualService ns/y": "act"}
	live, said, err := g.Live(t.Context())
	if d := cmp.Diff(map[string]string{"VirtualService ns/x": "observe", "VirtualService ns/y": "act"}, said); d != "" {
		t.Errorf("what the objects say (-want +got):\n%s", d)
	}
	want := policy.Action{blocking("a", .1), blocking("z", .2), replicas("x", 1), replicas("y", 2)}
	if d := cmp.Diff(want, live); d != "" || err != nil {
		t.Errorf("%v; live (-want +got):\n%s", err, d)
	}
	a.liveErr, b.liveErr = errors.New("first"), errors.New("second")
	if live, _, err := g.Live(t.Context()); !errors.Is(err, a.liveErr) || !errors.Is(err, b.liveErr) || live != nil {
		t.Errorf("got %v, %v; want both errors and no action", live, err)
	}
	a.liveErr, b.liveErr = nil, nil
	b.live = policy.Action{replicas("x", 3)}
	if _, _, err := g.Live(t.Context()); err == nil || err.Error() != "actuate: replicas:x belongs to two actuators" {
		t.Errorf("a knob of two: %v", err)
	}
}

func TestApply(t *testing.T) {
	g, a, b := two()
	if err := g.Apply(t.Context(), nil, policy.Action{blocking("z", .5), replicas("y", 4)}, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]policy.Action{{replicas("y", 4)}}, a.applied); d != "" {
		t.Errorf("first (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]policy.Action{{blocking("z", .5)}}, b.applied); d != "" {
		t.Errorf("second (-want +got):\n%s", d)
	}
	if err := g.Apply(t.Context(), nil, policy.Action{blocking("z", .5)}, nil); err != nil || len(a.applied) != 1 || len(b.applied) != 2 {
		t.Errorf("%v; %d and %d calls, want 1 and 2: nothing for who has nothing to set", err, len(a.applied), len(b.applied))
	}
}

func TestApplyFailsApart(t *testing.T) {
	g, a, b := two()
	a.applyErr = errors.New("no")
	if err := g.Apply(t.Context(), nil, policy.Action{blocking("z", .5), replicas("y", 4)}, nil); !errors.Is(err, a.applyErr) || len(b.applied) != 1 {
		t.Errorf("%v; the second was called %d times, want once", err, len(b.applied))
	}
}

func TestAKnobOfNobody(t *testing.T) {
	g, a, b := two()
	err := g.Apply(t.Context(), nil, policy.Action{replicas("y", 4), blocking("q", .5)}, nil)
	if err == nil || !strings.Contains(err.Error(), "nothing sets blocking:q; nothing was written") || len(a.applied)+len(b.applied) > 0 {
		t.Errorf("%v; %v %v", err, a.applied, b.applied)
	}
	if !g.Owns(replicas("y", 0).KnobID) || g.Owns(blocking("q", 0).KnobID) {
		t.Error("Owns does not tell its own knobs from others")
	}
}

func TestPrepare(t *testing.T) {
	g, a, b := two()
	got, err := g.Prepare(t.Context(), nil, policy.Action{blocking("a", .5), replicas("x", 3)}, nil)
	if err != nil || len(got) != 2 || len(a.prepared) != 1 || len(b.prepared) != 1 || len(a.applied)+len(b.applied) > 0 {
		t.Errorf("baselines %v, %v; prepared %v %v", got, err, a.prepared, b.prepared)
	}
	a.applyErr = errors.New("refused")
	if _, err := g.Prepare(t.Context(), nil, policy.Action{replicas("x", 3)}, nil); !errors.Is(err, a.applyErr) || len(b.prepared) != 1 {
		t.Errorf("got %v; %d", err, len(b.prepared))
	}
	if _, err := g.Prepare(t.Context(), nil, policy.Action{blocking("nobody", 1)}, nil); err == nil || !strings.Contains(err.Error(), "nothing sets") {
		t.Errorf("a knob of nobody: %v", err)
	}
}
