package approve

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func action(a, b float64) policy.Action {
	return policy.Action{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Value: a},
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "b"}, Value: b},
	}
}

func fresh(cycle uint64, live, want policy.Action) Fresh {
	return Fresh{
		Cycle: cycle, At: noon.Add(time.Duration(cycle) * 5 * time.Second), Expiry: time.Minute, Policy: "planner (active)",
		Live: live, Want: want, Changes: policy.Diff(live, want, .005), Refuses: func(policy.Action) string { return "" },
	}
}

// A plan waits, as it is, while the fresh decisions differ in size only.
func TestAPlanWaitsUnchanged(t *testing.T) {
	d := NewDesk("shop")
	live := action(.1, .5)
	if p, gone := d.Review(fresh(1, live, live)); p != nil || gone != "" {
		t.Errorf("without a change: %+v, %q", p, gone)
	}
	first, gone := d.Review(fresh(2, live, action(.3, .4)))
	if first == nil || gone != "" || len(first.ID) != 8 || !first.Expires.Equal(noon.Add(70*time.Second)) {
		t.Fatalf("%+v, %q", first, gone)
	}
	for cycle, want := range []policy.Action{action(.2, .4), action(.35, .1), action(.11, .48)} {
		p, gone := d.Review(fresh(uint64(3+cycle), live, want))
		if d := cmp.Diff(first, p); d != "" || gone != "" {
			t.Errorf("%q; the plan (-first +now):\n%s", gone, d)
		}
	}
	if err := d.Approve(first.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := d.Approve(first.ID, "bob"); err != nil {
		t.Errorf("approved twice: %v", err)
	}
	if p, _ := d.Review(fresh(6, live, action(.2, .45))); p == nil || p.By != "alice" || !p.Want.Equal(action(.3, .4), 0) {
		t.Errorf("approved: %+v", p)
	}
	d.Done()
	if err := d.Approve(first.ID, "alice"); err == nil || !strings.Contains(err.Error(), "a cycle has taken it up") {
		t.Errorf("after it was applied: %v", err)
	}
}

func TestAPlanIsGoneWhenNothingAdmitsIt(t *testing.T) {
	live, want := action(.1, .5), action(.3, .4)
	edited := fresh(2, live, want)
	edited.Refuses = func(w policy.Action) string {
		if w.Equal(want, 0) {
			return "a floor"
		}
		return ""
	}
	for _, c := range []struct {
		name, why string
		fresh     Fresh
		next      bool // another plan takes its place
	}{
		{"others changed what is in force", "the settings in force", fresh(2, action(.1, .45), want), true},
		{"one knob the other way", "blocking:b that way", fresh(2, live, action(.3, .6)), true},
		{"one knob not any more", "blocking:a that way", fresh(2, live, action(.1, .4)), true},
		{"nothing to change", "blocking:a that way", fresh(2, live, live), false},
		{"the guard", "guard does not pass it as it is any more: a floor", edited, true},
	} {
		d := NewDesk("shop")
		first, _ := d.Review(fresh(1, live, want))
		if err := d.Approve(first.ID, "alice"); err != nil {
			t.Fatal(err)
		}
		p, gone := d.Review(c.fresh)
		if !strings.Contains(gone, "plan "+first.ID) || !strings.Contains(gone, c.why) {
			t.Errorf("%s: gone %q, want %q", c.name, gone, c.why)
		}
		if (p != nil) != c.next || p != nil && (p.ID == first.ID || p.By != "") {
			t.Errorf("%s: then %+v", c.name, p)
		}
		err := d.Approve(first.ID, "bob")
		if unknown, ok := errors.AsType[*UnknownError](err); !ok || !strings.Contains(unknown.Why, c.why) {
			t.Errorf("%s: approved when it was gone: %v", c.name, err)
		}
	}
}

func TestAPlanExpires(t *testing.T) {
	d := NewDesk("shop")
	p, _ := d.Review(fresh(0, action(.1, .5), action(.3, .5)))
	if gone := d.Expire(noon.Add(time.Minute - 1)); gone != "" {
		t.Errorf("gone too early: %q", gone)
	}
	if gone := d.Expire(noon.Add(time.Minute)); !strings.Contains(gone, p.ID) || !strings.Contains(gone, "expired") {
		t.Errorf("gone %q", gone)
	}
	if _, ok := d.Pending(); ok {
		t.Error("it still waits")
	}
	if err := d.Approve("", "alice"); err == nil || !strings.Contains(err.Error(), "`windvane approve` lists") {
		t.Errorf("no ID: %v", err)
	}
	if gone := d.Drop("of no reason"); gone != "" {
		t.Errorf("nothing waits, and yet %q", gone)
	}
}

// What a person refused is not asked again before it would have expired; what is something else is.
func TestARefusedPlanIsNotMadeAgain(t *testing.T) {
	d := NewDesk("shop")
	live, want := action(.1, .5), action(.3, .4)
	first, _ := d.Review(fresh(1, live, want))
	if err := d.Refuse("0000", "alice"); err == nil {
		t.Error("an unknown plan was refused")
	}
	if err := d.Refuse(first.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := d.Approve(first.ID, "bob"); err == nil || !strings.Contains(err.Error(), "refused by alice") {
		t.Errorf("approved after it was refused: %v", err)
	}
	if p, gone := d.Review(fresh(2, live, action(.25, .45))); p != nil || !strings.Contains(gone, "refused by alice") {
		t.Errorf("the same again: %+v, %q", p, gone)
	}
	if p, gone := d.Review(fresh(3, live, action(.3, .6))); p == nil || gone != "" {
		t.Errorf("something else: %+v, %q", p, gone)
	}
	d.Drop("of no reason")
	if p, _ := d.Review(fresh(13, live, want)); p == nil {
		t.Error("after its time the same is not asked again")
	}
}
