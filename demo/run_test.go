package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/internal/lockedbuffer"
)

// short is a demo that shows nothing but exercises all.
var short = Lengths{Observe: 4, Explore: 70, Act: 12}

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
	o.Dir, o.Lengths, o.Screen = tempDir(t), short, &Screen{Out: &out}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return r, out.String()
}

func TestSameSeedSameTable(t *testing.T) {
	a, story := run(t, Options{Seed: 1001})
	b, _ := run(t, Options{Seed: 1001})
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

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func status(ctx context.Context, url string) (api.Status, error) {
	var s api.Status
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/status", http.NoBody)
	if err != nil {
		return s, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return s, err
	}
	defer func() { _ = answer.Body.Close() }()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// killPlanner kills the planner's process once it has decided, and returns its pid.
func killPlanner(ctx context.Context, out *lockedbuffer.Buffer) int {
	for ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
		url := address.FindString(out.String())
		if url == "" {
			continue
		}
		s, err := status(ctx, url)
		if err != nil || len(s.Meshes) != 1 || s.Meshes[0].Policy != "planner" {
			continue
		}
		for _, p := range s.Meshes[0].Plugins {
			if p.Policy == "planner" && p.Up && syscall.Kill(p.PID, syscall.SIGKILL) == nil {
				return p.PID
			}
		}
	}
	return 0
}

func TestDemoSurvivesTheDeathOfItsPlugin(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := &lockedbuffer.Buffer{}
	killed := make(chan int, 1)
	go func() { killed <- killPlanner(ctx, out) }()
	o := Options{
		Seed: 1003, Dir: tempDir(t), Lengths: short, Speed: 100, Address: "127.0.0.1:0", Screen: &Screen{Out: out},
		Done: func(_ *Result, stateDirectory, url string) {
			if pid := <-killed; pid == 0 {
				t.Error("the planner was not found")
			}
			back := false
			for ctx.Err() == nil && !back {
				s, err := status(ctx, url)
				if err != nil {
					t.Error(err)
					return
				}
				p := s.Meshes[0].Plugins[0]
				back = p.Up && p.Restarts == 1
			}
			if !back {
				t.Error("the plugin did not come back")
			}
			roles := map[string]int{}
			for r, err := range journal.Read(daemon.JournalDirectory(stateDirectory)) {
				if err != nil {
					t.Error(err)
					return
				}
				var i journal.Intent
				if r.Kind == journal.KindIntent && r.Decode(&i) == nil {
					roles[i.Policy]++
				}
			}
			if roles["planner"] == 0 || roles["planner"]+roles["rules"] < short.Act {
				t.Errorf("decisions %v: a cycle is missing", roles)
			}
		},
	}
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	http.DefaultClient.CloseIdleConnections()
	for _, row := range r.Rows {
		if row.Phase == PhaseAll && row.Intervals != short.Act {
			t.Errorf("%s: %d intervals, want %d", row.Controller, row.Intervals, short.Act)
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
	if _, err := Run(ctx, Options{Seed: 1004, Dir: dir, Screen: &Screen{Out: out}}); err == nil {
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
