package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/station"
)

// The planner's process is killed with its process group while it sheds load: the fallback
// decides the next cycle and says why, no cycle is missed, nothing is released, and the
// planner is back. Killed again and again, it comes into quarantine until a reload; nothing
// of it is left, no process, no socket, and no file open in the daemon.
// PLUGIN_TEST_KILLS=100 kills as often; once if it is not set.
func TestDemoSurvivesTheDeathOfItsPlugin(t *testing.T) {
	kills := 1
	if s := os.Getenv("PLUGIN_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("PLUGIN_TEST_KILLS=%s: want a number, 1 or more", s)
		}
		kills = n
	}
	p := openPilot(t)
	p.shed()
	files, slowest, quarantined := openFiles(t), time.Duration(0), 0
	for range kills {
		group := p.plugin().PID
		held := p.hold()
		began := time.Now()
		if err := syscall.Kill(-group, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.cycle()
		p.decidedByFallback("failed: plugin planner: is down: ")
		held()
		p.eventually("the planner is back, or in quarantine", func() bool { return p.plugin().Up || p.plugin().Quarantined })
		if p.plugin().Up {
			slowest = max(slowest, time.Since(began))
		}
		p.eventually("its processes are gone", func() bool { return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) })
		if p.plugin().Quarantined {
			quarantined++
			p.cycle()
			p.decidedByFallback("in quarantine after 5 failures within 10m0s, reload to try again")
			p.sockets(0)
			p.eventually(fmt.Sprintf("no more than %d files are open", files), func() bool { return openFiles(t) <= files })
			p.handOver(p.artefact)
		}
		p.sockets(1)
		p.cycle()
		if s := p.Status().Meshes[0]; s.Policy != "planner" || !p.plugin().Up {
			t.Errorf("back, the planner does not decide: %s (%s)", s.Policy, s.FallbackReason)
		}
	}
	if want := kills / 5; quarantined != want {
		t.Errorf("in quarantine %d times, want %d: once for each 5 kills", quarantined, want)
	}
	p.eventually(fmt.Sprintf("no more than %d files are open", files), func() bool { return openFiles(t) <= files })
	p.nothingMissed()
	t.Logf("%d kills, back after %s at most", kills, slowest)
}

// pilot is the autopilot of a demo in part 3, in lock-step with the test.
type pilot struct {
	*station.Station
	t        *testing.T
	show     *show
	artefact string
	gate     string // while there is a file of that name, a plugin that starts waits
	ran      int    // cycles
}

// launcher starts this test binary, as soon as the gate is open.
const launcher = "#!/bin/sh\nwhile [ -e %q ]; do sleep 0.01; done\nexec %q \"$@\"\n"

func openPilot(t *testing.T) *pilot {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	p := &pilot{t: t, gate: filepath.Join(dir, "gate"), ran: short.Observe + short.Explore - 1}
	script := filepath.Join(dir, "launcher")
	if err := os.WriteFile(script, fmt.Appendf(nil, launcher, p.gate, exe), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	p.show, err = newShow(Options{Seed: 1003, Dir: dir, Lengths: short, levels: fewLevels, Executable: script, Screen: &Screen{Out: io.Discard}})
	if err != nil {
		t.Fatal(err)
	}
	p.Station, err = p.show.open(t.Context(), ControllerTabular, 0, p.show.observing(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	err = p.show.observe(t.Context(), p.Station)
	if err == nil {
		p.artefact, err = p.show.learn(t.Context(), p.Station)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.handOver(p.artefact)
	return p
}

func (p *pilot) handOver(artefact string) {
	p.t.Helper()
	if err := p.show.handOver(p.t.Context(), p.Station, artefact); err != nil {
		p.t.Fatal(err)
	}
}

// cycle lets one happen.
func (p *pilot) cycle() {
	p.t.Helper()
	p.ran++
	if err := advance(p.t.Context(), p.Station, 1); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pilot) plugin() api.Plugin { return p.Status().Meshes[0].Plugins[0] }

// shed lets cycles pass until the planner has load refused.
func (p *pilot) shed() {
	p.t.Helper()
	p.cycle() // it finds what the exploration left
	for range 4 * short.Act {
		p.cycle()
		m := p.Status().Meshes[0]
		if m.Policy != "planner" {
			p.t.Fatalf("%s decides: %s", m.Policy, m.FallbackReason)
		}
		for _, s := range m.Services {
			if s.Blocking != nil && *s.Blocking > .1 {
				return
			}
		}
	}
	p.t.Fatal("the planner never has load refused: there is no protection to lose")
}

// hold keeps plugins from starting until it is undone: without it a plugin may be back
// before a slow machine has come to the next cycle.
func (p *pilot) hold() (undo func()) {
	p.t.Helper()
	if err := os.WriteFile(p.gate, nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(p.gate); err != nil {
			p.t.Error(err)
		}
	}
}

// decidedByFallback checks that explain says so of the last cycle, and why.
func (p *pilot) decidedByFallback(why string) {
	p.t.Helper()
	e, err := explain.Cycle(daemon.JournalDirectory(p.State()), "", 0)
	if err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	if err := e.WriteText(&text); err != nil {
		p.t.Fatal(err)
	}
	said := text.String()
	_, said, _ = strings.Cut(said, "the active policy did not decide: ")
	if reason, rest, _ := strings.Cut(said, "\n"); e.Intent.Cycle != uint64(p.ran) || !strings.Contains(reason, why) || !strings.Contains(rest, "policy rules (fallback): ") { //nolint:gosec // a few
		p.t.Errorf("want cycle %d to be decided by rules (fallback), and why: %q; explain says\n%s", p.ran, why, text.String())
	}
}

// sockets checks how many processes have directories for theirs.
func (p *pilot) sockets(want int) {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.show.dirOf(ControllerTabular), "plugin-dir*"))
	if err != nil || len(found) != want {
		p.t.Errorf("%q, %v: want %d directories for sockets", found, err, want)
	}
}

// nothingMissed checks that the journal has a decision of each cycle, and that each finds in
// force what the one before left there: nothing was released in between.
func (p *pilot) nothingMissed() {
	p.t.Helper()
	var last journal.Intent
	for r, err := range journal.Read(daemon.JournalDirectory(p.State())) {
		if err != nil {
			p.t.Fatal(err)
		}
		if r.Kind == journal.KindRelease {
			p.t.Errorf("a release at %s", r.At)
		}
		var i journal.Intent
		if r.Kind != journal.KindIntent {
			continue
		}
		if err := r.Decode(&i); err != nil {
			p.t.Fatal(err)
		}
		if i.Cycle != last.Cycle+1 || i.Hold != "" {
			p.t.Errorf("cycle %d after cycle %d, hold %q", i.Cycle, last.Cycle, i.Hold)
		}
		want := last.Live.Clone()
		for _, c := range last.Plan {
			if last.Act {
				want.Set(c.KnobID, c.To)
			}
		}
		for _, s := range want {
			if got, _ := i.Live.Get(s.KnobID); math.Abs(got-s.Value) > 1e-3 {
				p.t.Errorf("cycle %d finds %s at %v; the cycle before left it at %v", i.Cycle, s.KnobID, got, s.Value)
			}
		}
		last = i
	}
	if last.Cycle != uint64(p.ran) { //nolint:gosec // a few
		p.t.Errorf("the journal ends with cycle %d, want %d", last.Cycle, p.ran)
	}
}

// eventually waits for what a process brings about.
func (p *pilot) eventually(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
