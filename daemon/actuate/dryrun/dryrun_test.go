package dryrun

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meter counts reads. That it cannot write is the type's business: Reader has no Apply.
type meter struct {
	reads int
	err   error
}

var live = policy.Action{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Value: .1}}

func (m *meter) Live(context.Context) (policy.Action, map[string]string, error) {
	m.reads++
	return live, nil, m.err
}

func TestDryRun(t *testing.T) {
	m := &meter{}
	a := New(m)
	if last, told := a.Last(); told || last != nil {
		t.Errorf("Last before any Apply: %v, %v", last, told)
	}
	got, _, err := a.Live(t.Context())
	if d := cmp.Diff(live, got); d != "" || err != nil {
		t.Errorf("%v; live (-want +got):\n%s", err, d)
	}
	want := policy.Action{{KnobID: live[0].KnobID, Value: .5}}
	if err := a.Apply(t.Context(), nil, want, nil); err != nil || m.reads != 1 {
		t.Errorf("Apply: %v; %d reads", err, m.reads)
	}
	want[0].Value = .9 // the caller's own
	last, told := a.Last()
	if !told || last[0].Value != .5 {
		t.Errorf("Last: %v, %v; want what was applied", last, told)
	}
	last[0].Value = .7
	if again, _ := a.Last(); again[0].Value != .5 {
		t.Errorf("Last hands out its own: %v", again)
	}
	if got, _, err := a.Live(t.Context()); err != nil || got[0].Value != .1 {
		t.Errorf("live after Apply: %v, %v; want it unchanged", got, err)
	}
	m.err = errors.New("down")
	if _, _, err := a.Live(t.Context()); !errors.Is(err, m.err) {
		t.Errorf("Live: %v", err)
	}
}
