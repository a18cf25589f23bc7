package host

import (
	"testing"
	"time"
)

func TestRestartWaits(t *testing.T) {
	h := history{policy: DefaultRestarts}
	now := time.Unix(1000, 0)
	// Failures too far apart for quarantine, after runs too short to be healthy.
	want := []time.Duration{200 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	for i, w := range want {
		got, quarantine := h.failed(now, time.Minute, 0)
		if got != w || quarantine {
			t.Errorf("failure %d: wait %s, quarantine %t, want %s", i, got, quarantine, w)
		}
		now = now.Add(3 * time.Minute)
	}
	if got, _ := h.failed(now, 10*time.Minute, .5); got != 250*time.Millisecond {
		t.Errorf("after a healthy run: %s, want 250ms with its jitter", got)
	}
}

func TestQuarantineCounts(t *testing.T) {
	h := history{policy: DefaultRestarts}
	start := time.Unix(1000, 0)
	for i, tc := range []struct {
		at   time.Duration
		want bool
	}{
		{0, false},
		{time.Minute, false},
		{2 * time.Minute, false},
		{3 * time.Minute, false},
		{10 * time.Minute, false}, // the first has left the window
		{10*time.Minute + time.Second, true},
	} {
		if _, got := h.failed(start.Add(tc.at), 0, 0); got != tc.want {
			t.Errorf("failure %d at %s: quarantine %t, want %t", i, tc.at, got, tc.want)
		}
	}
}
