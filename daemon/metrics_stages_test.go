package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
)

// An action is settled at the first cycle that finds its settings in force and has measured
// an objective since; one that is not put in force never is.
func TestSettling(t *testing.T) {
	at := func(cycle int) time.Time { return time.Unix(int64(5*cycle), 0) }
	measured := []journal.ObjectiveError{{Known: true}}
	acts := func(cycle int) loop.Report {
		return loop.Report{At: at(cycle), Intent: journal.Intent{Cycle: uint64(cycle), Act: true}}
	}
	closes := func(cycle, of int, result string, errors []journal.ObjectiveError) loop.Report {
		return loop.Report{At: at(cycle), Intent: journal.Intent{Cycle: uint64(cycle)}, Outcome: &journal.Outcome{Cycle: uint64(of), Result: result, Errors: errors}}
	}
	for name, c := range map[string]struct {
		reports []loop.Report
		want    []time.Duration
	}{
		"at once":             {[]loop.Report{acts(1), closes(2, 1, journal.ResultConverged, measured), closes(3, 2, journal.ResultNotApplied, measured)}, []time.Duration{5 * time.Second}},
		"nothing is measured": {[]loop.Report{acts(1), closes(2, 1, journal.ResultConverged, nil), closes(3, 2, journal.ResultNotApplied, nil), closes(4, 3, journal.ResultNotApplied, measured)}, []time.Duration{15 * time.Second}},
		"not in force":        {[]loop.Report{acts(1), closes(2, 1, journal.ResultFailed, measured), closes(3, 2, journal.ResultNotApplied, measured)}, nil},
		"overtaken":           {[]loop.Report{acts(1), acts(2), closes(3, 2, journal.ResultConverged, measured)}, []time.Duration{5 * time.Second}},
	} {
		var s settling
		var got []time.Duration
		for _, r := range c.reports {
			if took, ok := s.pass(r); ok {
				got = append(got, took)
			}
		}
		if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
			t.Errorf("%s: settled after %v, want %v", name, got, c.want)
		}
	}
}

func TestMissedCyclesAreCounted(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	var before *loop.Report
	for _, second := range []int64{0, 5, 10, 25, 20, 25} { // two are missed; then the clock is put back
		r := loop.Report{Mesh: "shop", At: time.Unix(second, 0)}
		m.countMissed(before, r, 5*time.Second)
		before = &r
	}
	if got := counted(t, m.missed.WithLabelValues("shop")); got != 2 {
		t.Errorf("%v cycles missed, want 2", got)
	}
}

// answers is a source that answers as it is told.
type answers struct {
	warnings v1.Warnings
	err      error
}

func (a answers) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	return model.Vector{}, a.warnings, nil, a.err
}

func TestQueriesAreCountedByTheirResult(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry())
	var passed time.Duration
	since := func() time.Duration { passed += time.Millisecond; return passed }
	for result, a := range map[string]answers{
		"ok": {}, "partial": {warnings: v1.Warnings{"a store is gone"}}, "error": {err: errors.New("refused")},
		"timeout": {err: &v1.Error{Type: v1.ErrTimeout}},
	} {
		q := measured{a, "main", m.sources, since}
		if _, _, _, err := q.Query(t.Context(), "up", time.Unix(7, 0)); !errors.Is(err, a.err) {
			t.Errorf("%s: error %v is not passed on", result, err)
		}
		if got := counted(t, m.sources.queries.WithLabelValues("main", result)); got != 1 {
			t.Errorf("%s: counted %v times", result, got)
		}
	}
	if got := counted(t, m.sources.last.WithLabelValues("main")); got != 7 {
		t.Errorf("last success at %v, want 7", got)
	}
}

func TestHashOfADigest(t *testing.T) {
	if got := hashOf("0000000001ff" + "ee"); got != 0x01ff {
		t.Errorf("hash %v, want that of the first 48 bits", got)
	}
}
