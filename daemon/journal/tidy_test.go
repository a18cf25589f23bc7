package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// segmented writes a journal of several small segments, one note a minute.
func segmented(t testing.TB, d Disk, n int) *Journal {
	t.Helper()
	j, _, err := open(t.TempDir(), d, 1500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	for i := range n {
		if _, err := j.Append(start.Add(time.Duration(i)*time.Minute), "shop", KindNote, note(i), false); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestTidyCompresses(t *testing.T) {
	j := segmented(t, quick(), 100)
	before, err := readAll(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	plainSum, err := Verify(j.Dir())
	if err != nil || plainSum.Segments < 4 || plainSum.Stored != plainSum.Bytes {
		t.Fatalf("%+v, %v", plainSum, err)
	}
	done, err := j.Tidy(Retention{})
	if err != nil || done.Packed != plainSum.Segments-1 || done.Removed != 0 || done.Freed <= 0 {
		t.Fatalf("Tidy = %+v, %v", done, err)
	}
	if again, err := j.Tidy(Retention{}); err != nil || again != (Tidied{}) {
		t.Errorf("Tidy again = %+v, %v; want nothing", again, err)
	}
	after, err := readAll(j.Dir())
	if d := cmp.Diff(before, after, cmp.AllowUnexported(Record{})); err != nil || d != "" {
		t.Errorf("%v, records (-before +after):\n%s", err, d)
	}
	sum, err := Verify(j.Dir())
	if err != nil || sum.Packed != done.Packed || sum.Stored != plainSum.Stored-done.Freed || sum.Records != 100 || sum.Bytes != plainSum.Bytes {
		t.Errorf("Verify = %+v, %v; before %+v", sum, err, plainSum)
	}
	last, err := Last(j.Dir(), 90, nil)
	if err != nil || len(last) != 90 || last[0].Seq != 11 {
		t.Errorf("Last 90: %d, %v", len(last), err)
	}
	if seq, err := j.Append(start, "", KindNote, note(1), true); err != nil || seq != 101 {
		t.Errorf("Append = %d, %v", seq, err)
	}
}

// A start reads the newest segments only.
func TestRecent(t *testing.T) {
	j := segmented(t, quick(), 100)
	if found, err := Recent(j.Dir(), 1, func(r Record) bool { return r.Seq == 1 }); err != nil || len(found) > 0 {
		t.Errorf("the oldest record: %v, %v", found, err)
	}
	if found, err := Recent(j.Dir(), 2, nil); err != nil || len(found) != 2 || found[1].Seq != 100 {
		t.Errorf("the newest records: %v, %v", found, err)
	}
}

func TestTidyExpires(t *testing.T) {
	for _, c := range []struct {
		name string
		keep Retention
		want func(s Summary) bool
	}{
		{"nothing", Retention{}, func(s Summary) bool { return s.Records == 100 }},
		{"by age", Retention{Age: 30 * time.Minute}, func(s Summary) bool {
			return s.Records < 60 && s.Records >= 31 && s.FirstAt.After(start.Add(50*time.Minute))
		}},
		{"by size", Retention{Size: 5000}, func(s Summary) bool { return s.Records < 60 && s.Segments >= 3 }},
		{"all that may be", Retention{Age: 1, Size: 1}, func(s Summary) bool { return s.Segments == 2 && s.Last == 100 }},
		{"age is longer", Retention{Age: 24 * time.Hour, Size: 1 << 30}, func(s Summary) bool { return s.Records == 100 }},
	} {
		j := segmented(t, quick(), 100)
		if _, err := j.Tidy(c.keep); err != nil {
			t.Fatal(err)
		}
		sum, err := Verify(j.Dir())
		if err != nil || !c.want(sum) || sum.Last != 100 {
			t.Errorf("%s: %+v, %v", c.name, sum, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, _, err = Open(j.Dir())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if seq, err := j.Append(start, "", KindNote, note(1), true); err != nil || seq != 101 {
			t.Errorf("%s: Append = %d, %v", c.name, seq, err)
		}
		_ = j.Close()
	}
}

// Any call of Tidy may fail, or be the last before a crash: nothing is lost, and the next
// Tidy completes it.
func TestTidyIsCutShort(t *testing.T) {
	d, calls := failing(func(int) bool { return false })
	j := segmented(t, d, 40)
	written := *calls
	if _, err := j.Tidy(Retention{Age: 30 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	all := *calls
	if all-written < 10 {
		t.Fatalf("Tidy made %d calls", all-written)
	}
	for n := written + 1; n <= all; n++ {
		broken := true
		d, _ := failing(func(i int) bool { return broken && i >= n })
		j := segmented(t, d, 40)
		if _, err := j.Tidy(Retention{Age: 30 * time.Minute}); !errors.Is(err, errDisk) {
			t.Fatalf("call %d fails: %v", n, err)
		}
		broken = false
		sum, err := Verify(j.Dir())
		if err != nil || sum.Last != 40 || sum.Records < 31 {
			t.Fatalf("call %d failed: %+v, %v", n, sum, err)
		}
		if records, err := readAll(j.Dir()); err != nil || uint64(len(records)) != sum.Records {
			t.Fatalf("call %d failed: a reader sees %d records, %v", n, len(records), err)
		}
		if _, err := j.Tidy(Retention{Age: 30 * time.Minute}); err != nil {
			t.Fatalf("call %d failed: Tidy again: %v", n, err)
		}
		left, err := filepath.Glob(filepath.Join(j.Dir(), "*"))
		if err != nil {
			t.Fatal(err)
		}
		plain := 0
		for _, f := range left {
			if strings.HasSuffix(f, ".tmp") {
				t.Errorf("call %d failed: %s is left", n, f)
			}
			if strings.HasSuffix(f, ".jsonl") {
				plain++
			}
		}
		if plain != 1 {
			t.Errorf("call %d failed: %d plain segments are left: %v", n, plain, left)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedCompressedSegment(t *testing.T) {
	j := segmented(t, quick(), 40)
	if _, err := j.Tidy(Retention{}); err != nil {
		t.Fatal(err)
	}
	path := segmentPath(j.Dir(), 1) + packedSuffix
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 7 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Verify(j.Dir())
		damage, ok := errors.AsType[*DamageError](err)
		if !ok || damage.File != path {
			t.Fatalf("byte %d: Verify: %v", i, err)
		}
	}
	if err := os.WriteFile(path, good[:len(good)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(j.Dir()); err == nil {
		t.Error("a compressed segment that is cut off was not noticed")
	}
}

// The newest segment may be gone, or be there compressed only, in a journal that was
// copied: it goes on behind it.
func TestOpenBehindACompressedSegment(t *testing.T) {
	j := segmented(t, quick(), 40)
	if _, err := j.Tidy(Retention{}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := segments(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(segmentPath(j.Dir(), all[len(all)-1])); err != nil {
		t.Fatal(err)
	}
	sum, err := Verify(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	j, _, err = Open(j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if seq, err := j.Append(start, "", KindNote, note(1), true); err != nil || seq != sum.Last+1 {
		t.Errorf("Append = %d, %v; want %d", seq, err, sum.Last+1)
	}
}

func TestTidyWhileAppendingAndReading(t *testing.T) {
	j, _, err := open(t.TempDir(), quick(), 4000)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for i := range 300 {
			if _, err := j.Append(start.Add(time.Duration(i)*time.Minute), "shop", KindNote, note(i), false); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for writing := true; writing; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			writing = false
		default:
		}
		if _, err := j.Tidy(Retention{Age: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(j.Dir()); err != nil {
			t.Fatal(fmt.Errorf("a reader: %w", err))
		}
	}
	if _, err := Verify(j.Dir()); err != nil {
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Tidy(Retention{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Tidy after Close: %v", err)
	}
}

// What is bounded does not see what is wrong before it.
func TestVerifyNewest(t *testing.T) {
	j := segmented(t, quick(), 100)
	whole, err := Verify(j.Dir())
	if err != nil || whole.Segments < 4 {
		t.Fatalf("%+v, %v", whole, err)
	}
	if err := os.WriteFile(segmentPath(j.Dir(), 1), []byte("none\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(j.Dir()); err == nil {
		t.Error("damage of the oldest is not seen")
	}
	sum, err := VerifyNewest(j.Dir(), 2)
	if err != nil || sum.Segments != 2 || sum.Last != 100 || sum.First <= 1 || sum.Records != sum.Last-sum.First+1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if all, err := VerifyNewest(j.Dir(), 1000); err == nil {
		t.Errorf("more than there are: %+v", all)
	}
}
