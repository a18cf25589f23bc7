package demo

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/internal/lockedbuffer"
)

// short is a demo that shows nothing but exercises all, with fewLevels of blocking for a
// grid of 225 actions.
var short = Lengths{Observe: 4, Explore: 70, Act: 12}

const fewLevels = 3

// tempDir is short: plugins' sockets lie below it.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wvd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func run(t *testing.T, o Options) (*Result, string) {
	t.Helper()
	var out lockedbuffer.Buffer
	o.Dir, o.Lengths, o.levels, o.Screen = tempDir(t), short, fewLevels, &Screen{Out: &out}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return r, out.String()
}

func TestSameSeedSameTable(t *testing.T) {
	a, story := run(t, Options{Seed: 1001})
	served := 0
	b, _ := run(t, Options{Seed: 1001, Speed: 1e4, Address: "127.0.0.1:0", Done: func(_ *Result, _, url string) {
		answer, err := http.Get(url + "/-/healthy")
		if err != nil {
			t.Error(err)
			return
		}
		_ = answer.Body.Close()
		served = answer.StatusCode
		http.DefaultClient.CloseIdleConnections()
	}})
	if served != http.StatusOK {
		t.Errorf("at the end the daemon answers %d, want 200", served)
	}
	if diff := cmp.Diff(a.Rows, b.Rows); diff != "" {
		t.Errorf("the same seed gave two tables:\n%s", diff)
	}
	if want := 4 * 4 * 2; len(a.Rows) != want {
		t.Fatalf("%d rows, want %d: phases x controllers x services", len(a.Rows), want)
	}
	for _, r := range a.Rows {
		if r.Phase == PhaseAll && r.Intervals != short.Act {
			t.Errorf("%s: %d intervals in all, want %d", r.Controller, r.Intervals, short.Act)
		}
		if (r.Controller == ControllerNone || r.Controller == ControllerStatic) && r.Actions != 0 {
			t.Errorf("%s acted %d times", r.Controller, r.Actions)
		}
	}
	for _, part := range []string{"1. authority observe", "2. a bounded exploration", "3. authority act", "learned from"} {
		if !strings.Contains(story, part) {
			t.Errorf("the story lacks %q:\n%s", part, story)
		}
	}
}

func TestInterruptedDemoEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &lockedbuffer.Buffer{}
	go func() {
		for !strings.Contains(out.String(), "2. a bounded") {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	dir := tempDir(t)
	if _, err := Run(ctx, Options{Seed: 1004, Dir: dir, Lengths: Lengths{Observe: 4, Explore: 600, Act: 12}, Screen: &Screen{Out: out}}); err == nil {
		t.Error("an interrupted demo ended without an error")
	}
	if _, err := journal.Verify(daemon.JournalDirectory(filepath.Join(dir, ControllerTabular, "state"))); err != nil {
		t.Error(err)
	}
}

func TestWorseThanNothing(t *testing.T) {
	r := Result{Rows: []Row{
		{Phase: PhaseAll, Controller: ControllerNone, Service: "a", ViolatedRatio: .3},
		{Phase: PhaseAll, Controller: ControllerNone, Service: "b", ViolatedRatio: .3},
		{Phase: PhaseAll, Controller: ControllerTabular, Service: "a", ViolatedRatio: .05},
		{Phase: PhaseAll, Controller: ControllerTabular, Service: "b", ViolatedRatio: .4},
	}}
	if got := r.WorseThanNothing(); len(got) != 1 || got[0] != "b" {
		t.Errorf("worse for %v, want [b]", got)
	}
}
