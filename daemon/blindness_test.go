package daemon

import (
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// Neither a clock that is put forward nor alerts use up or renew the time of grace, for
// which protection stays without data.
func TestTheTimeOfGraceIsOneOfCycles(t *testing.T) {
	m := &rules.Mesh{Interval: 5 * time.Second, Guard: rules.Guard{OnNoData: rules.OnNoDataBaseline, NoDataGrace: 30 * time.Second}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var b blindness
	cycle := func(after time.Duration, hold, woken string) bool {
		at = at.Add(after)
		report := &loop.Report{At: at}
		report.Intent.Hold, report.Intent.Woken = hold, woken
		return b.look(report, m)
	}
	noData := string(guard.NoData)
	cycle(5*time.Second, noData, "")
	if cycle(time.Hour, noData, "") || cycle(-2*time.Hour, noData, "") { // counts as 10 s, and as nothing
		t.Fatal("a clock that was put used up the time of grace")
	}
	cycle(5*time.Second, noData, "")               // 15 s
	cycle(2*time.Second, "nothing_new", "alert")   // a cycle that was woken says nothing of it
	cycle(3*time.Second, noData, "")               // 20 s
	if cycle(5*time.Second, loop.HoldNoLive, "") { // nor one that could not read the settings
		t.Error("given back without the API server")
	}
	if !cycle(5*time.Second, noData, "") { // 30 s
		t.Errorf("after the time of grace nothing is given back: %v", b.lasted)
	}
	if cycle(5*time.Second, "", ""); cycle(time.Minute, noData, "") || b.lasted > 0 {
		t.Error("data did not end it")
	}
}
