package journal

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Backwards and Find read what Read does, from any record on, over plain and compressed
// segments.
func TestBackwards(t *testing.T) {
	j, _, err := open(t.TempDir(), quick(), 40_000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	m := newCycles(1, .5, 0)
	for range 60 {
		o, intent := m.next()
		appendCycle(t, j, "shop", o, intent)
	}
	if done, err := j.Tidy(Retention{}); err != nil || done.Packed < 3 {
		t.Fatalf("Tidy = %+v, %v; want several segments", done, err)
	}
	all, err := readAll(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	end := uint64(len(all))
	for _, before := range []uint64{0, 1, 2, end / 2, end, end + 1000} {
		want := seqs(all)
		if before > 0 && before <= end {
			want = want[:before-1]
		}
		got := []uint64{}
		for r, err := range Backwards(j.Dir(), before) {
			if err != nil {
				t.Fatal(err)
			}
			got = append([]uint64{r.Seq}, got...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("before %d (-want +got):\n%s", before, d)
		}
	}
	for i := 0; i < len(all); i += 25 {
		want := all[i]
		got, found, err := Find(j.Dir(), want.Seq)
		if err != nil || !found {
			t.Fatalf("Find %d: %v, %v", want.Seq, found, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Record{})); d != "" {
			t.Errorf("record %d (-want +got):\n%s", want.Seq, d)
		}
	}
	for _, seq := range []uint64{0, end + 1, end + 1000} {
		if _, found, err := Find(j.Dir(), seq); found || err != nil {
			t.Errorf("Find %d: %v, %v; want nothing", seq, found, err)
		}
	}
}

func TestBackwardsReadsNoFurtherThanItIsAsked(t *testing.T) {
	j := segmented(t, quick(), 100)
	f, err := os.OpenFile(segmentPath(j.Dir(), j.segment-1), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte("damaged"), 0); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range Backwards(j.Dir(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	var damage *DamageError
	for r, err := range Backwards(j.Dir(), 0) {
		if err != nil {
			if !errors.As(err, &damage) {
				t.Fatalf("%v, want damage", err)
			}
			break
		}
		n = int(r.Seq)
	}
	if damage == nil || damage.Offset != 0 || n < 70 {
		t.Errorf("damage %v after record %d, want it after the newest records", damage, n)
	}
}

func TestBackwardsOfNothing(t *testing.T) {
	for r, err := range Backwards(t.TempDir(), 0) {
		t.Errorf("%v, %v", r, err)
	}
	if _, found, err := Find(t.TempDir(), 1); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}
