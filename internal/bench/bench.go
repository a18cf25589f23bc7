// Package bench is what the benchmarks behind `make bench` share. Each is a test called
// TestBench that is skipped unless BENCH_JSON names a file; it prints its figures, and adds
// them to that file, which holds an object {name: {"value", "unit", "peer", "n"}} with the
// command and the commit of each.
package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/progress"
)

// Figure is one value of the file.
type Figure struct {
	Value   float64  `json:"value"`
	Unit    string   `json:"unit"` // s, ms, us, ns: less is better; 1/s, 1 (a share or count): more is
	Peer    *float64 `json:"peer"` // the same of the peer that the section names; null where there is none
	N       int      `json:"n"`    // measurements behind the value, which is their median unless its name says more
	Command string   `json:"command"`
	Commit  string   `json:"commit"`
}

// Report collects the figures of one TestBench.
type Report struct {
	// Peers are those of figures that are added without one, by name; nil: none.
	Peers map[string]float64

	tb      testing.TB
	path    string
	w       io.Writer
	meter   *progress.Meter
	figures map[string]Figure
}

// Start skips the test unless it is a benchmark. At the test's end the figures are added
// to the file.
func Start(tb testing.TB) *Report {
	tb.Helper()
	path := os.Getenv("BENCH_JSON")
	if path == "" {
		tb.Skip("a benchmark: run it by make bench")
	}
	r := &Report{tb: tb, path: path, w: os.Stdout, figures: map[string]Figure{}}
	tb.Cleanup(func() {
		r.endStage()
		if err := merge(path, r.figures); err != nil {
			tb.Errorf("bench: %v", err)
		}
	})
	return r
}

// Trace is the trace that the caller of make bench named, or the given sample.
func Trace(sample string) string { return cmp.Or(os.Getenv("TRACE"), sample) }

// Section prints what the following figures are of, and the heads of their columns.
func (r *Report) Section(title string) {
	r.endStage()
	r.print("\n%s\n  %-36s %12s %-4s %12s %9s %8s\n", title, "", "value", "", "peer", "ratio", "n")
}

// Stage shows on standard error that done of of repetitions of what are done.
func (r *Report) Stage(what string, done, of int) {
	if r.meter == nil {
		r.meter = progress.New("bench", os.Stderr)
	}
	r.meter.Count(what, done, of)
}

func (r *Report) endStage() {
	if r.meter != nil {
		r.meter.Stop()
		r.meter = nil
	}
}

// Add prints a figure, and keeps it.
func (r *Report) Add(name string, value float64, unit string, n int) {
	r.tb.Helper()
	var peer *float64
	if p, ok := r.Peers[name]; ok {
		peer = &p
	}
	r.add(name, value, unit, peer, n)
}

// AddPeer is Add for a figure whose peer is known.
func (r *Report) AddPeer(name string, value float64, unit string, peer float64, n int) {
	r.tb.Helper()
	r.add(name, value, unit, &peer, n)
}

func (r *Report) add(name string, value float64, unit string, peer *float64, n int) {
	r.tb.Helper()
	if _, ok := r.figures[name]; ok {
		r.tb.Errorf("bench: two figures are called %s", name)
	}
	r.endStage()
	f := Figure{value, unit, peer, n, os.Getenv("BENCH_COMMAND"), os.Getenv("BENCH_COMMIT")}
	r.figures[name] = f
	theirs, ratio := "", ""
	if unit == "1" {
		unit = ""
	}
	if peer != nil {
		theirs, ratio = number(*peer), number(f.Ratio())
	}
	r.print("  %-36s %12s %-4s %12s %9s %8d\n", name, number(value), unit, theirs, ratio, n)
}

// Ratio is how many times better than the peer the value is: above 1 it is better.
func (f Figure) Ratio() float64 {
	if slices.Contains([]string{"s", "ms", "us", "ns"}, f.Unit) {
		return *f.Peer / f.Value
	}
	return f.Value / *f.Peer
}

// number has four significant digits, and no exponent.
func number(v float64) string {
	switch {
	case v >= 1000 || v <= -1000:
		return fmt.Sprintf("%.0f", v)
	case v != 0 && v < .001 && v > -.001:
		return fmt.Sprintf("%.6f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func (r *Report) print(format string, args ...any) { _, _ = fmt.Fprintf(r.w, format, args...) }

// merge adds figures to those that are in a file; a figure of the same name is replaced.
func merge(path string, figures map[string]Figure) error {
	all := map[string]json.RawMessage{}
	src, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(src, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w; remove the file to start anew", path, err)
	}
	for name, f := range figures {
		if all[name], err = json.Marshal(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	out, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o600)
}

// Median is the upper one of an even number of values.
func Median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// CPUTime is what the process has used of its cores, so that what else a machine does is
// not counted.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // never for RUSAGE_SELF
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
