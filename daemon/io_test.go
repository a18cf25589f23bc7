package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
)

// failure is what becomes of one call.
type failure int

const (
	fine       failure = iota
	refused            // by the server, or by the disk
	cut                // the connection breaks before anything was done
	answerLost         // it breaks afterwards
)

// failures counts the calls of a daemon, to the disk and over the network, and makes some fail.
type failures struct {
	mu     sync.Mutex
	calls  int
	from   int // the first that fails, from 1; 0: none
	until  int // the last
	failed int
}

func (f *failures) next() failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.from == 0 || f.calls < f.from || f.calls > f.until {
		return fine
	}
	f.failed++
	return []failure{refused, cut, answerLost}[(f.from+f.failed)%3]
}

func (f *failures) heal() (calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from = 0
	return f.calls
}

// disk is a real one of which every call may fail as if it were full. A write leaves half.
func (f *failures) disk() journal.Disk {
	d := journal.RealDisk()
	full := func(op, path string) error {
		if f.next() == fine {
			return nil
		}
		return &os.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
	}
	return journal.Disk{
		Create: func(path string) (*os.File, error) {
			if err := full("open", path); err != nil {
				return nil, err
			}
			return d.Create(path)
		},
		WriteAt: func(file *os.File, b []byte, off int64) (int, error) {
			if err := full("write", file.Name()); err != nil {
				n, _ := d.WriteAt(file, b[:len(b)/2], off)
				return n, err
			}
			return d.WriteAt(file, b, off)
		},
		Truncate: func(file *os.File, size int64) error {
			if err := full("truncate", file.Name()); err != nil {
				return err
			}
			return d.Truncate(file, size)
		},
		Sync: func(file *os.File) error {
			if err := full("sync", file.Name()); err != nil {
				return err
			}
			return d.Sync(file)
		},
		Rename: d.Rename,
		Remove: d.Remove,
	}
}

// waysOut are the states that a cycle may end in when something fails: those of the
// design's table. Without a hold the cycle acted, or was complete before the failure.
var waysOut = []string{"", "no_data", loop.HoldNoLive, loop.HoldRefused, loop.HoldJournal}

// bounded runs a daemon for a few cycles over failing calls, then heals them. It returns
// how each cycle ended, and the calls before the healing.
func (k *killer) bounded(t *testing.T, name string, f *failures) (ends []string, calls int) {
	t.Helper()
	r := k.rig
	k.dir = daemon.JournalDirectory(filepath.Join(r.dir, name))
	k.writes, k.faults, k.fail, k.left = nil, nil, f.next, 1000
	r.write("windvane.toml", strings.Replace(readFile(t, filepath.Join(r.dir, "windvane.toml.in")), `"state"`, strconv.Quote(name), 1))
	r.resumed = make(chan struct{}, 1)
	d, err := daemon.NewRestless(t.Context(), daemon.Options{
		ConfigFile: filepath.Join(r.dir, "windvane.toml"), Logger: slog.New(slog.DiscardHandler), Clock: r,
		Watch: func(report loop.Report) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reports = append(r.reports, report)
		},
	}, f.disk())
	if err == nil {
		err = d.Start(t.Context())
	}
	if err != nil { // the unit starts it again
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: %v", name, err)
		}
		if j, _, err := journal.Open(k.dir); err != nil {
			t.Errorf("%s: the journal does not open any more: %v", name, err)
		} else {
			_ = j.Close()
		}
		return []string{"not started"}, 0
	}
	for cycle := range 5 {
		if cycle == 2 {
			calls = f.heal()
		}
		report := r.run(1)[0]
		i := report.Intent
		switch {
		case len(i.Drift) > 0:
			t.Errorf("%s, cycle %d: it takes its own settings for somebody else's: %v", name, i.Cycle, i.Drift)
		case cycle < 3 && !slices.Contains(waysOut, i.Hold):
			t.Errorf("%s, cycle %d: hold %q, want one of %q", name, i.Cycle, i.Hold, waysOut)
		case cycle >= 3 && !i.Act:
			t.Errorf("%s, cycle %d: it does not act although all is well again: hold %q, %v", name, i.Cycle, i.Hold, report.Err)
		}
		ends = append(ends, i.Hold)
	}
	if err := d.Stop(context.Background()); err != nil {
		t.Errorf("%s: stop: %v", name, err)
	}
	if _, err := journal.Verify(k.dir); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, fault := range k.faults {
		t.Errorf("%s: %s", name, fault)
	}
	k.audit(t)
	return ends, calls
}

// The n-th call of two cycles fails, and one or all of those after it: to the disk as if it
// were full, to Prometheus and to the API server by a refusal, a broken connection or
// a lost answer. Whichever it is, the cycle ends in one of the states of the design's
// table, nothing is written without an intent on disk, and two cycles later all is
// well. IO_TEST_EVERY=1 tries every call.
func TestTheNthCallFails(t *testing.T) {
	every := 13
	if n, err := strconv.Atoi(os.Getenv("IO_TEST_EVERY")); err == nil && n > 0 {
		every = n
	}
	k, _ := newKiller(t, thresholdActive+crashWorkloads, "windvane.toml.in")
	ends, calls := k.bounded(t, "well", &failures{})
	if strings.Join(ends, "") != "" || calls < 50 {
		t.Fatalf("without failures: %q, %d calls", ends, calls)
	}
	seen := map[string]int{}
	runs := 0
	for n := 1; n <= calls; n += every {
		for _, until := range []int{n, n + 2, 1 << 30} {
			ends, _ := k.bounded(t, fmt.Sprintf("call-%d-to-%d", n, until), &failures{from: n, until: until})
			for _, e := range ends[:min(3, len(ends))] {
				seen[e]++
			}
			runs++
		}
	}
	t.Logf("%d runs over %d calls; the first three cycles of each ended in: %v", runs, calls, seen)
	for _, want := range waysOut {
		if seen[want] == 0 && (every == 1 || want == loop.HoldJournal) {
			t.Errorf("no cycle ended in %q", want)
		}
	}
}
