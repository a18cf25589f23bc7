package lifecycle

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

const meshText = `
mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"
[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.95
  [service.blocking]
  maximum = 0.8
`

var block = policy.KnobID{Kind: policy.Blocking, Target: "a"}

func live(v float64) policy.Action { return policy.Action{{KnobID: block, Value: v}} }

func state(status policy.Status) policy.State {
	return policy.State{
		{Name: "carried", Service: "a", Role: policy.RoleCarried, Value: 16, Status: policy.Valid},
		{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: .09, Status: status},
		{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: 20, Status: policy.Valid},
	}
}

func TestCollectTakesIntervalsWhoseSettingsAreKnown(t *testing.T) {
	m, err := rules.Parse("shop.toml", []byte(meshText))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cycle := uint64(0)
	add := func(mesh string, i journal.Intent, o journal.Outcome) {
		t.Helper()
		cycle++
		i.Cycle, o.Cycle = cycle, cycle
		if _, err := j.Append(time.Time{}, mesh, journal.KindIntent, i, false); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(time.Time{}, mesh, journal.KindOutcome, o, false); err != nil {
			t.Fatal(err)
		}
	}
	acted := journal.Intent{Live: live(0), Guarded: live(.333333333), Act: true}
	add("shop", acted, journal.Outcome{Live: live(.333333), State: state(policy.Valid)})                // a row
	add("shop", acted, journal.Outcome{Live: live(.1), State: state(policy.Valid)})                     // somebody else
	add("shop", acted, journal.Outcome{Live: live(.333333), State: state(policy.Valid), Partial: true}) // cut by a cycle that was woken
	add("shop", acted, journal.Outcome{State: state(policy.Valid)})                                     // not readable
	notFollowed := &journal.Verified{NotYet: 1, Away: []journal.Away{{Service: "a"}}}
	add("shop", acted, journal.Outcome{Live: live(.333333), State: state(policy.Valid), Verified: notFollowed})
	add("other", acted, journal.Outcome{Live: live(.333333), State: state(policy.Valid)})                    // another mesh
	add("shop", journal.Intent{Live: live(.2)}, journal.Outcome{Live: live(.2), State: state(policy.Stale)}) // a row without latency
	add("shop", journal.Intent{Live: policy.Action{}}, journal.Outcome{Live: live(.2), State: state(policy.Valid)})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := Collect(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows() != 2 || d.Settings[0][0] != .333333333 || d.Settings[0][1] != .2 {
		t.Fatalf("%d rows with settings %v; want 2 with the commanded ones", d.Rows(), d.Settings)
	}
	if d.Offered[0][0] != 20 || d.Carried[0][0] != 16 || d.Latency[0][0] != .09 {
		t.Errorf("row 0: offered %v, carried %v, latency %v", d.Offered[0][0], d.Carried[0][0], d.Latency[0][0])
	}
	if !math.IsNaN(d.Latency[0][1]) {
		t.Errorf("a latency that is stale became %v; want NaN", d.Latency[0][1])
	}
}

func TestCollectNamesADamagedJournal(t *testing.T) {
	m, err := rules.Parse("shop.toml", []byte(meshText))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Collect(t.TempDir()+"/nothing", m); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}

func TestWalkGivesTheRowsOfCollectAndTheRestWithReasons(t *testing.T) {
	m, err := rules.Parse("shop.toml", []byte(meshText))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(6) {
		i, o := journal.Intent{Cycle: n, Live: live(.2)}, journal.Outcome{Cycle: n, Live: live(.2), State: state(policy.Valid), Partial: n == 2}
		if n == 4 {
			o.Live = nil
		}
		for _, r := range []struct {
			kind string
			body any
		}{{journal.KindIntent, i}, {journal.KindOutcome, o}} {
			if _, err := j.Append(instant(int(n)), "shop", r.kind, r.body, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o := Options{Rules: m, Journal: dir, From: instant(0)}
	d, want, err := CollectFrom(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []Reason
	rows := 0
	got, err := Walk(t.Context(), o, func(iv Interval) error {
		reasons = append(reasons, iv.Reason)
		if iv.Reason == "" {
			if iv.Row.Latency[0] != d.Latency[0][rows] || iv.Row.Settings[0] != d.Settings[0][rows] {
				t.Errorf("the row of %s is %+v, which is not row %d of the dataset", iv.At, iv.Row, rows)
			}
			rows++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(reasons, []Reason{"", Settling, "", Unknown, ""}) || rows != d.Rows() {
		t.Errorf("%d rows and the reasons %q, want %d rows", rows, reasons, d.Rows())
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Report{})); diff != "" {
		t.Errorf("the reports differ: %s", diff)
	}
	stop := errors.New("enough")
	if _, err := Walk(t.Context(), o, func(Interval) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of the function became %v", err)
	}
}
