package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written returns the bytes of a journal of n notes, and where each line starts.
func written(t testing.TB, n int) ([]byte, []int) {
	t.Helper()
	dir := t.TempDir()
	j := mustOpen(t, dir)
	appendNotes(t, j, n)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	starts := []int{0}
	for i, c := range b {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return b, starts
}

func dirWith(t testing.TB, segment []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(segmentPath(dir, 1), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTruncationAtEveryByte(t *testing.T) {
	b, starts := written(t, 4)
	for size := range len(b) {
		dir := dirWith(t, b[:size])
		whole := 0
		for starts[whole+1] <= size {
			whole++
		}
		torn := size - starts[whole]
		if records, err := readAll(dir); err != nil || len(records) != whole {
			t.Fatalf("cut at %d: a reader sees %d records, %v; want %d", size, len(records), err, whole)
		}
		if sum, err := Verify(dir); err != nil || sum.Records != uint64(whole) || sum.Torn != int64(torn) {
			t.Fatalf("cut at %d: Verify = %+v, %v", size, sum, err)
		}
		j, repair, err := open(dir, quick(), segmentSize)
		if err != nil {
			t.Fatalf("cut at %d: %v", size, err)
		}
		if repair.Bytes != int64(torn) || torn > 0 && repair.Offset != int64(starts[whole]) || (torn > 0) != (repair.String() != "") {
			t.Fatalf("cut at %d: repair %+v", size, repair)
		}
		if torn > 0 {
			if kept, err := os.ReadFile(repair.Kept); err != nil || !bytes.Equal(kept, b[starts[whole]:size]) {
				t.Fatalf("cut at %d: kept %q, %v", size, kept, err)
			}
		}
		if seq, err := j.Append(start, "", KindNote, note(9), true); err != nil || seq != uint64(whole+1) {
			t.Fatalf("cut at %d: Append = %d, %v", size, seq, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if sum, err := Verify(dir); err != nil || sum.Records != uint64(whole+1) || sum.Torn != 0 {
			t.Fatalf("cut at %d, repaired: Verify = %+v, %v", size, sum, err)
		}
	}
}

func TestFlippedByteAtEveryPosition(t *testing.T) {
	b, starts := written(t, 4)
	last := starts[len(starts)-2]
	for i := range b {
		for _, mask := range []byte{0x01, 0x20, 0x80}[i%3 : i%3+1] { // 0x20 changes the case of letters
			broken := slices.Clone(b)
			broken[i] ^= mask
			dir := dirWith(t, broken)
			sum, err := Verify(dir)
			if err == nil && sum.Torn == 0 {
				t.Fatalf("byte %d ^ %#x: not detected", i, mask)
			}
			// The newline before the last line is part of what makes that line.
			if inTail := i >= last-1; inTail != (err == nil) {
				t.Fatalf("byte %d ^ %#x: Verify = %+v, %v; in the last line: %v", i, mask, sum, err, inTail)
			}
			records, readErr := readAll(dir)
			if len(records) >= 4 || readErr == nil && i != len(b)-1 && i < last-1 {
				t.Fatalf("byte %d ^ %#x: a reader sees %d records, %v", i, mask, len(records), readErr)
			}
			j, repair, openErr := open(dir, quick(), segmentSize)
			if (openErr == nil) != (err == nil) {
				t.Fatalf("byte %d ^ %#x: Verify says %v, Open %v", i, mask, err, openErr)
			}
			if openErr == nil {
				if repair.Bytes != sum.Torn {
					t.Fatalf("byte %d: repair %+v, torn %d", i, repair, sum.Torn)
				}
				_ = j.Close()
			}
		}
	}
}

func TestDamageSaysWhereAndWhatToDo(t *testing.T) {
	b, starts := written(t, 4)
	b[starts[1]+30] ^= 1
	dir := dirWith(t, b)
	_, _, err := Open(dir)
	var damage *DamageError
	if !errors.As(err, &damage) || damage.Line != 2 || damage.Offset != int64(starts[1]) {
		t.Fatalf("Open: %v", err)
	}
	for _, part := range []string{filepath.Join(dir, "00000001.jsonl:2"), "checksum does not match", "move the journal directory aside"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	records, err := Last(dir, 2, nil)
	if err != nil || !slices.Equal(seqs(records), []uint64{3, 4}) {
		t.Errorf("Last 2 in front of the damage: %v, %v", seqs(records), err)
	}
	if _, err = Last(dir, 3, nil); !errors.As(err, &damage) || damage.Offset != int64(starts[1]) {
		t.Errorf("Last 3, into the damage: %v", err)
	}
}

func TestGapInSeqIsDamage(t *testing.T) {
	b, starts := written(t, 4)
	dir := dirWith(t, append(slices.Clone(b[:starts[1]]), b[starts[2]:]...))
	var damage *DamageError
	for name, call := range map[string]func() error{
		"Open":   func() error { _, _, err := Open(dir); return err },
		"Verify": func() error { _, err := Verify(dir); return err },
		"Read":   func() error { _, err := readAll(dir); return err },
	} {
		if err := call(); !errors.As(err, &damage) || damage.Line != 2 || !strings.Contains(err.Error(), "record 3 follows record 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same across two segments.
	dir = dirWith(t, b[:starts[1]])
	if err := os.WriteFile(segmentPath(dir, 2), b[starts[2]:], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir); !errors.As(err, &damage) || damage.File != segmentPath(dir, 2) {
		t.Errorf("Verify over two segments: %v", err)
	}
}

func TestTornTailOfAnOlderSegmentIsDamage(t *testing.T) {
	b, starts := written(t, 4)
	dir := dirWith(t, b[:starts[2]-5])
	if err := os.WriteFile(segmentPath(dir, 2), b[starts[2]:], 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := Verify(dir); !errors.As(err, &damage) || damage.Line != 2 || damage.File != segmentPath(dir, 1) {
		t.Errorf("Verify: %v", err)
	}
	if records, err := readAll(dir); !errors.As(err, &damage) || len(records) != 1 {
		t.Errorf("Read: %d records, %v", len(records), err)
	}
	if err := os.WriteFile(segmentPath(dir, 2), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(dir); !errors.As(err, &damage) {
		t.Errorf("Open: %v", err)
	}
}

func TestTornTwiceAtTheSameByte(t *testing.T) {
	b, starts := written(t, 2)
	dir := dirWith(t, b[:starts[1]])
	for _, name := range []string{"torn-00000001-" /* + offset */, ".1"} {
		f, err := os.OpenFile(segmentPath(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("half"); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		j, repair, err := Open(dir)
		if err != nil || !strings.Contains(repair.Kept, name) {
			t.Fatalf("repair %+v, %v; want a side file with %q", repair, err, name)
		}
		_ = j.Close()
	}
}

func TestLinesLongerThanABuffer(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	for i := range 6 {
		body := Note{Level: "info", Message: strings.Repeat("x", i*150_000)}
		if _, err := j.Append(start, "shop", KindNote, body, false); err != nil {
			t.Fatal(err)
		}
	}
	forward, err := readAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	backward, err := Last(dir, 6, nil)
	if err != nil || len(backward) != 6 || len(forward) != 6 {
		t.Fatalf("%d forwards, %d backwards, %v", len(forward), len(backward), err)
	}
	for i := range forward {
		if forward[i].Seq != backward[i].Seq || !bytes.Equal(forward[i].Body, backward[i].Body) {
			t.Errorf("record %d differs", i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	b, starts := written(f, 3)
	for _, seed := range [][]byte{nil, b, b[:len(b)-1], b[starts[1]:], []byte("\n\n"), []byte("{}\n"), bytes.Repeat([]byte{0}, 100)} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, prefix []byte, good bool) {
		segment := prefix
		if good {
			segment = append(slices.Clone(prefix), b...)
		}
		dir := dirWith(t, segment)
		sum, verifyErr := Verify(dir)
		records, _ := readAll(dir)
		for i := 1; i < len(records); i++ {
			if records[i].Seq != records[i-1].Seq+1 {
				t.Fatalf("Read yields record %d after %d", records[i].Seq, records[i-1].Seq)
			}
		}
		j, repair, err := open(dir, quick(), segmentSize)
		if (err == nil) != (verifyErr == nil) {
			t.Fatalf("Verify says %v, Open %v", verifyErr, err)
		}
		if err != nil {
			return
		}
		if repair.Bytes != sum.Torn || uint64(len(records)) != sum.Records {
			t.Fatalf("repair %+v, %d records, Verify %+v", repair, len(records), sum)
		}
		if _, err := j.Append(start, "", KindNote, note(1), true); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if after, err := Verify(dir); err != nil || after.Records != sum.Records+1 || after.Torn != 0 {
			t.Fatalf("after repair and Append: %+v, %v; before: %+v", after, err, sum)
		}
	})
}
