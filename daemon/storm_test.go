package daemon_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/rules"
)

// Persons, alerts and reloads that come all at once neither lock up a cycle nor each other,
// and whoever is told of a stop sees no write after it.
func TestEverythingAtOnce(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.early = 2 * time.Second
	r.start()
	r.run(2)
	writes := func() (n int) {
		for what, times := range r.testbed.Requests() {
			if verb, _, _ := strings.Cut(what, " "); verb != "GET" && verb != "review" && !strings.Contains(what, "dry") {
				n += times
			}
		}
		return n
	}
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for _, f := range []func(n int){
		func(n int) {
			level := []rules.Authority{"observe", "act", "approve", "act"}[n%4]
			if err := r.daemon.SetAuthority(ctx, "shop", level, "alice"); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if level == "observe" {
				before := writes()
				time.Sleep(2 * time.Millisecond)
				if after := writes(); after != before {
					t.Errorf("%d writes after a stop was acknowledged", after-before)
				}
			}
		},
		func(int) {
			for _, p := range r.daemon.Plans() {
				_ = r.daemon.Approve(ctx, p.ID, "bob") // it may be gone by then
			}
		},
		func(int) {
			if err := r.daemon.Reload(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		},
		func(n int) { r.alert("", []string{"firing", "resolved"}[n%2]) },
		func(int) {
			var b strings.Builder
			_ = r.daemon.Status().WriteText(&b)
			_ = r.daemon.Late(time.Now())
		},
	} {
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				f(n)
				time.Sleep(time.Millisecond)
			}
		})
	}
	r.run(40)
	stop()
	busy.Wait()
	r.stop()
}
