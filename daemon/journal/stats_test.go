package journal

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatsCountRecordsFailuresAndBytes(t *testing.T) {
	d := quick()
	full := false
	write := d.WriteAt
	d.WriteAt = func(f *os.File, b []byte, off int64) (int, error) {
		if full {
			return 0, errors.New("no space left")
		}
		return write(f, b, off)
	}
	j, _, err := open(t.TempDir(), d, 400) // three notes a segment
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	appendNotes(t, j, 9)
	full = true
	if _, err := j.Append(start, "shop", KindIntent, Intent{}, true); err == nil {
		t.Fatal("no error from a full disk")
	}
	got, err := j.Stats()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Verify(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	want := Stats{Appended: map[string]uint64{KindNote: 9}, Failed: 1, Segments: j.segment, Bytes: sum.Stored}
	if d := cmp.Diff(want, got); d != "" || j.segment < 2 {
		t.Errorf("%d segments (-want +got):\n%s", j.segment, d)
	}
}
