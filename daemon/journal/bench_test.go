package journal

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/rules/margin"
)

// TestBench is part of `make bench`.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	b.Section("journal: a cycle every 5 s, every interval measured, one cycle in five acting; times of the processor, but for the sync")
	benchAppend(t, b)
	benchDay(t, b, 10, 12*200)
	benchDay(t, b, 1000, 64)
	benchVerify(t, b, 1_000_000)
}

// benchAppend times what a cycle that acts waits for, on the disk that has the tests' directory.
func benchAppend(t *testing.T, b *bench.Report) {
	const n = 1000
	j := mustOpen(t, t.TempDir())
	m := newCycles(2, 1, 20)
	var millis []float64
	for range n {
		_, intent := m.next()
		begin := time.Now()
		if _, err := j.Append(start, "shop", KindIntent, &intent, true); err != nil {
			t.Fatal(err)
		}
		millis = append(millis, 1e3*time.Since(begin).Seconds())
	}
	slices.Sort(millis)
	b.Add("journal_append_sync", millis[n/2], "ms", n)
	b.Add("journal_append_sync_p99", millis[n*99/100], "ms", n)
}

// benchDay measures what a day takes on disk once it is compressed, from some of its cycles.
func benchDay(t *testing.T, b *bench.Report, services, cycles int) {
	const day = 24 * 60 * 12
	j, _, err := open(t.TempDir(), quick(), segmentSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	m := newCycles(services, .2, 0)
	for i := range m.control { // as after many intervals
		m.control[i].Recent = make([]float64, margin.Defaults().Window)
		for k := range m.control[i].Recent {
			m.control[i].Recent[k] = m.rng.NormFloat64() / 10
		}
	}
	var millis []float64
	for range cycles {
		o, intent := m.next()
		begin := bench.CPUTime()
		appendCycle(t, j, "shop", o, intent)
		millis = append(millis, 1e3*(bench.CPUTime()-begin).Seconds())
	}
	written, err := Verify(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.rotate(); err != nil {
		t.Fatal(err)
	}
	begin := bench.CPUTime()
	if _, err := j.Tidy(Retention{}); err != nil {
		t.Fatal(err)
	}
	tidy := bench.CPUTime() - begin
	stored, err := Verify(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	perDay := func(bytes int64) float64 { return float64(bytes) / float64(cycles) * day / 1e6 }
	name := fmt.Sprintf("journal_%d_services_", services)
	b.Add(name+"day", perDay(stored.Stored), "MB", cycles)
	b.Add(name+"day_not_compressed", perDay(written.Bytes), "MB", cycles)
	b.Add(name+"cycle", bench.Median(millis), "ms", cycles)
	b.Add(name+"tidy_per_GB", tidy.Seconds()/float64(written.Bytes)*1e9, "s", 1)
}

// benchVerify times the reading of a long journal, most of it compressed.
func benchVerify(t *testing.T, b *bench.Report, records int) {
	j, _, err := open(t.TempDir(), quick(), segmentSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	m := newCycles(2, .2, 0)
	bodies := make([]json.RawMessage, 100)
	for i := range bodies {
		outcome, _ := m.next()
		if bodies[i], err = marshal(outcome); err != nil {
			t.Fatal(err)
		}
	}
	for i := range records {
		if _, err := j.Append(start, "shop", KindOutcome, bodies[i%100], false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Tidy(Retention{}); err != nil {
		t.Fatal(err)
	}
	begin := bench.CPUTime()
	sum, err := Verify(j.Dir())
	if err != nil || sum.Records != uint64(records) {
		t.Fatalf("%+v, %v", sum, err)
	}
	b.Add("journal_verify_1M", (bench.CPUTime() - begin).Seconds(), "s", 1)
	b.Add("journal_verify_1M_record", float64(sum.Bytes)/float64(records), "B", records)
}
