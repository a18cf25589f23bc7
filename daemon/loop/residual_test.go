package loop

import (
	"testing"
)

// What is predicted for the settings in force is held against the measurement of the
// interval only if they were in force in it.
func TestResidualsAreOfTheLiveAction(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	f.want = action(.3, .6)
	r := cycles(l, 1, 3)
	if got := r.Control[0].Compared; got != 3 {
		t.Fatalf("%d residuals after three cycles", got)
	}
	f.live = action(.2, .6) // by somebody else's hand
	if r = cycles(l, 4, 1); r.Control[0].Compared != 3 {
		t.Error("a residual of settings that were not in force before")
	}
	if r = cycles(l, 5, 1); r.Control[0].Compared != 4 {
		t.Errorf("%d residuals once what is in force is what was decided, want 4", r.Control[0].Compared)
	}
}

// The policy is handed the share of the residual, not the residual: the prediction
// that it needs comes with the decision.
func TestTheShareOfTheLastResidualIsHanded(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 60) // .05 where .09 is predicted, each time
	o := r.Intent.Services[0].Objectives[0]
	if o.Lag != l.params.Lag || o.Residual != 0 {
		t.Errorf("residuals that are all the same: lag %v, residual %v; want %v, 0", o.Lag, o.Residual, l.params.Lag)
	}
	f.live = action(.2, .6)
	r = cycles(l, 61, 1)
	if o := r.Intent.Services[0].Objectives[0]; o.Lag != 0 {
		t.Errorf("lag %v for settings that were not in force before", o.Lag)
	}
}
