package daemon_test

import (
	"slices"
	"testing"
	"time"
)

func TestLateIsWhoHadNoCycleWithinTwoIntervals(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.start()
	now := time.Now()
	if late := r.daemon.Late(now); len(late) > 0 {
		t.Errorf("at the start: %q", late)
	}
	if late := r.daemon.Late(now.Add(11 * time.Second)); !slices.Equal(late, []string{"shop"}) { // the interval is 5 s
		t.Errorf("two intervals later: %q", late)
	}
	before := time.Now()
	r.run(1)
	if late := r.daemon.Late(before.Add(10 * time.Second)); len(late) > 0 {
		t.Errorf("within two intervals of a cycle: %q", late)
	}
	r.stop()
	if late := r.daemon.Late(now.Add(time.Hour)); len(late) > 0 {
		t.Errorf("stopped: %q", late)
	}
}
