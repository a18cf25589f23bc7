package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) {
	if os.Getenv("JOURNAL_TEST_WRITER") != "" {
		appendForever(os.Getenv("JOURNAL_TEST_WRITER")) // does not return
	}
	goleak.VerifyTestMain(m)
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// quick is a disk that does not wait for the hardware, for tests of what is written
// and not of when: a power cut is simulated with the bytes that are left.
func quick() Disk {
	d := RealDisk()
	d.Sync = func(*os.File) error { return nil }
	return d
}

func mustOpen(t testing.TB, dir string) *Journal {
	t.Helper()
	j, repair, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if repair != (Repair{}) {
		t.Fatalf("Open repaired an intact journal: %v", repair)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func note(i int) Note { return Note{Level: "info", Message: fmt.Sprintf("note <%d>", i)} }

func appendNotes(t testing.TB, j *Journal, n int) {
	t.Helper()
	for i := range n {
		if _, err := j.Append(start, "shop", KindNote, note(i), i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
}

// readAll returns every record up to the first error.
func readAll(dir string) ([]Record, error) {
	var out []Record
	for r, err := range Read(dir) {
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

func seqs(records []Record) []uint64 {
	var out []uint64
	for _, r := range records {
		out = append(out, r.Seq)
	}
	return out
}

func TestBodiesReadBackAsTheyWereWritten(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	weight := policy.KnobID{Kind: policy.Weight, Target: "default/front/information", Part: "v1"}
	state := policy.State{
		{Name: "latency", Service: "information", Role: policy.RoleLatency, Value: .031, At: start, Status: policy.Valid},
		{Name: "offered", Service: "information", Role: policy.RoleOffered},
	}
	live := policy.Action{{KnobID: weight, Value: .5}}
	intent := Intent{
		Cycle: 7, Authority: "act", Policy: "planner", PolicyRole: RoleFallback, FallbackReason: "deadline",
		State: state, Live: live, Guarded: policy.Action{{KnobID: weight, Value: .7}},
		Services: []policy.Service{{Name: "information", Value: 1, Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .035, Budget: .05, Margin: .02}}}},
		Limits:   policy.Limits{MaxStep: .2, TotalBlocking: .5},
		Knobs:    []policy.Knob{{KnobID: weight, Service: "information", Max: 1, Levels: 6}},
		Decision: &policy.Decision{Action: policy.Action{{KnobID: weight, Value: .9}}, Reason: "carries more"},
		Edits:    []Edit{{Reason: "max_step", KnobID: weight, From: .9, To: .7}},
		Plan:     []policy.Change{{KnobID: weight, From: .5, To: .7}},
		Act:      true, Control: json.RawMessage(`{"debt":1.5}`),
	}
	outcome := Outcome{
		Cycle: 7, Result: ResultConverged, Live: intent.Guarded, State: state,
		Errors: []ObjectiveError{{Service: "information", Signal: "latency", Error: 1, Known: true, Counted: true, Expected: .033}},
	}
	boot := Start{Version: "1.2.3", ConfigSHA256: "ab", Meshes: []string{"shop"}}
	remark := Note{Level: "warn", Message: "plan < 1 & <b>"}
	for i, body := range []any{boot, intent, outcome, remark} {
		kind := []string{KindStart, KindIntent, KindOutcome, KindNote}[i]
		seq, err := j.Append(start.Add(time.Duration(i)*time.Second), "shop", kind, body, kind == KindIntent)
		if err != nil || seq != uint64(i+1) {
			t.Fatalf("Append = %d, %v; want %d", seq, err, i+1)
		}
	}
	records, err := readAll(dir)
	if err != nil || len(records) != 4 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	got := []any{new(Start), new(Intent), new(Outcome), new(Note)}
	for i, want := range []any{&boot, &intent, &outcome, &remark} {
		if err := records[i].Decode(got[i]); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got[i]); d != "" {
			t.Errorf("record %d (-want +got):\n%s", i+1, d)
		}
	}
	if !records[1].At.Equal(start.Add(time.Second)) || records[1].Mesh != "shop" || records[1].Kind != KindIntent {
		t.Errorf("envelope %+v", records[1])
	}
	sum, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{Segments: 1, Records: 4, First: 1, Last: 4, FirstAt: start, LastAt: start.Add(3 * time.Second), Bytes: info.Size(), Stored: info.Size()}
	if d := cmp.Diff(want, sum); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
}

// The format is a promise to those who read journals with other tools. The checksum
// was computed with one of them, bit by bit.
func TestLineFormat(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	if _, err := j.Append(start.In(time.FixedZone("", 3600)), "shop", KindNote, Note{Level: "info", Message: "a<b"}, true); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seq":1,"at":"2026-01-02T03:04:05Z","mesh":"shop","kind":"note","body":{"level":"info","message":"a<b"},"crc":"c585664f"}` + "\n"
	if string(b) != want {
		t.Errorf("line\n%swant\n%s", b, want)
	}
}

func TestReopenGoesOn(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	appendNotes(t, j, 3)
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(start, "", KindNote, note(0), true); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v, want ErrClosed", err)
	}
	j = mustOpen(t, dir)
	if seq, err := j.Append(start, "", KindNote, note(0), true); err != nil || seq != 4 {
		t.Errorf("Append = %d, %v; want 4", seq, err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	if _, _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "in use by another windvane") {
		t.Fatalf("second Open: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
}

func TestWhatCannotBeWrittenHarmsNothing(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	bad := []struct {
		name, kind string
		body       any
		want       string
	}{
		{"not a number", KindOutcome, Outcome{Errors: []ObjectiveError{{Error: math.NaN()}}}, "cannot be written as JSON"},
		{"no kind", "", note(1), "needs a kind"},
		{"too long", KindNote, Note{Message: strings.Repeat("x", maxLine)}, "longer than the limit"},
	}
	for _, b := range bad {
		if _, err := j.Append(start, "", b.kind, b.body, true); err == nil || !strings.Contains(err.Error(), b.want) {
			t.Errorf("%s: %v, want %q", b.name, err, b.want)
		}
	}
	appendNotes(t, j, 2)
	if records, err := readAll(dir); err != nil || len(records) != 2 || records[1].Seq != 2 {
		t.Errorf("records %v, %v", seqs(records), err)
	}
}

func TestSegments(t *testing.T) {
	dir := t.TempDir()
	j, _, err := open(dir, RealDisk(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	appendNotes(t, j, 50)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) < 5 {
		t.Fatalf("segments %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > 1000 || info.Size() == 0 {
			t.Errorf("segment %s: %v, %v", f, info.Size(), err)
		}
	}
	records, err := readAll(dir)
	if err != nil || len(records) != 50 || records[49].Seq != 50 {
		t.Fatalf("records %v, %v", seqs(records), err)
	}
	if sum, err := Verify(dir); err != nil || sum.Records != 50 || sum.Segments != len(files) {
		t.Errorf("Verify = %+v, %v", sum, err)
	}
	odd, err := Last(dir, 20, func(r Record) bool { return r.Seq%2 == 1 })
	if err != nil || len(odd) != 20 || odd[0].Seq != 11 || odd[19].Seq != 49 {
		t.Errorf("Last = %v, %v; want the odd ones of 11 to 49", seqs(odd), err)
	}
	if all, err := Last(dir, 1000, nil); err != nil || len(all) != 50 {
		t.Errorf("Last of more than there are: %d, %v", len(all), err)
	}

	// The oldest may be removed; the journal then starts later.
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	sum, err := Verify(dir)
	if err != nil || sum.Last != 50 || sum.First == 1 || sum.Records != 51-sum.First {
		t.Errorf("Verify without the oldest segment = %+v, %v", sum, err)
	}
	j2, _, err := open(dir, RealDisk(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j2.Close() })
	if seq, err := j2.Append(start, "", KindNote, note(1), true); err != nil || seq != 51 {
		t.Errorf("Append = %d, %v; want 51", seq, err)
	}
	// One in the middle may not.
	if err := os.Remove(files[2]); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := Verify(dir); !errors.As(err, &damage) || damage.File != files[2] {
		t.Errorf("Verify without a middle segment: %v", err)
	}
}

func TestAnEmptyNewestSegment(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	appendNotes(t, j, 3)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(dir, 2), nil, 0o600); err != nil { // a crash just after rotation
		t.Fatal(err)
	}
	j = mustOpen(t, dir)
	if seq, err := j.Append(start, "", KindNote, note(1), true); err != nil || seq != 4 {
		t.Errorf("Append = %d, %v; want 4", seq, err)
	}
	if sum, err := Verify(dir); err != nil || sum.Records != 4 || sum.Segments != 2 {
		t.Errorf("Verify = %+v, %v", sum, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, durable := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", durable), func(b *testing.B) {
			j := mustOpen(b, b.TempDir())
			for b.Loop() {
				if _, err := j.Append(start, "shop", KindNote, note(1), durable); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyPerRecord(b *testing.B) {
	dir := b.TempDir()
	j := mustOpen(b, dir)
	for i := range 10000 {
		if _, err := j.Append(start, "shop", KindNote, note(i), false); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := Verify(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/record")
}
