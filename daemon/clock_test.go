package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The wall clock has a woken cycle where there is room for it: settle after the cycle
// before, and settle before the next.
func TestWallClockWakes(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for name, tc := range map[string]struct {
		begin, wake time.Duration // after a multiple of 5 s; wake 0: never
		early       time.Duration // the last cycle was woken, at this time; 0: it was not
		settle      time.Duration
		want        time.Duration // after the same
		why         string
	}{
		"not woken":                    {ms(100), 0, 0, ms(1000), ms(5000), ""},
		"in the middle":                {ms(100), ms(2500), 0, ms(1000), ms(2500), "alert"},
		"just after a cycle":           {ms(100), ms(200), 0, ms(1000), ms(1100), "alert"},
		"too near to the next":         {ms(100), ms(4100), 0, ms(1000), ms(5000), ""},
		"no room":                      {ms(100), ms(2500), 0, ms(2500), ms(5000), ""},
		"no settle":                    {ms(100), ms(200), 0, 0, ms(200), "alert"},
		"once":                         {ms(1200), ms(2000), ms(1100), ms(1000), ms(5000), ""},
		"it took longer than was left": {ms(5300), 0, ms(3900), ms(1000), ms(5000), ""},
		"it took longer than that":     {ms(10300), 0, ms(3900), ms(1000), ms(10000), ""},
		"it ended in time":             {ms(4900), 0, ms(3900), ms(1000), ms(5000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := time.Now().Truncate(5 * time.Second).Add(5 * time.Second)
				time.Sleep(time.Until(base.Add(tc.begin)))
				woken := make(chan string, 1)
				if tc.wake > 0 {
					time.AfterFunc(tc.wake-tc.begin, func() { woken <- "alert" })
				}
				w := Wait{Interval: 5 * time.Second, Settle: tc.settle, Last: base, Woken: woken}
				if tc.early > 0 {
					w.Last, w.Early = base.Add(tc.early), true
				}
				at, why, err := wallClock{}.NextOrWoken(t.Context(), w)
				if err != nil || at.Sub(base) != tc.want || why != tc.why {
					t.Errorf("cycle after %v for %q (%v), want after %v for %q", at.Sub(base), why, err, tc.want, tc.why)
				}
			})
		})
	}
}

func TestWallClockStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := (wallClock{}).Next(ctx, "shop", time.Hour); err == nil {
			t.Error("no error after the stop")
		}
	})
}
