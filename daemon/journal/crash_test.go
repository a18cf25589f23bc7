package journal

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
)

var errDisk = errors.New("the disk fails")

// failing returns a disk whose calls fail as fail(n) says for the n-th, and the count.
// A failing write leaves half of its bytes.
func failing(fail func(n int) bool) (Disk, *int) {
	n := 0
	now := func() bool { n++; return fail(n) }
	real := quick()
	d := Disk{
		Create: func(path string) (*os.File, error) {
			if now() {
				return nil, errDisk
			}
			return real.Create(path)
		},
		WriteAt: func(f *os.File, b []byte, off int64) (int, error) {
			if now() {
				_, _ = real.WriteAt(f, b[:len(b)/2], off)
				return len(b) / 2, errDisk
			}
			return real.WriteAt(f, b, off)
		},
		Truncate: func(f *os.File, size int64) error {
			if now() {
				return errDisk
			}
			return real.Truncate(f, size)
		},
		Sync: func(f *os.File) error {
			if now() {
				return errDisk
			}
			return real.Sync(f)
		},
		Rename: func(from, to string) error {
			if now() {
				return errDisk
			}
			return real.Rename(from, to)
		},
		Remove: func(path string) error {
			if now() {
				return errDisk
			}
			return real.Remove(path)
		},
	}
	return d, &n
}

// session writes records over a failing disk and returns the bodies that were
// acknowledged, by seq. It ends like a crash: nothing is closed in order.
func session(t *testing.T, dir string, d Disk) (map[uint64]string, error) {
	t.Helper()
	acknowledged := map[uint64]string{}
	j, _, err := open(dir, d, 600)
	if err != nil {
		return acknowledged, err
	}
	defer j.release()
	for i := range 20 {
		message := fmt.Sprint("message ", i)
		seq, appendErr := j.Append(start, "shop", KindNote, Note{Level: "info", Message: message}, i%3 == 0)
		if appendErr != nil {
			err = appendErr
			continue
		}
		if _, ok := acknowledged[seq]; ok {
			t.Fatalf("seq %d was given twice", seq)
		}
		acknowledged[seq] = message
	}
	return acknowledged, err
}

func TestTheNthCallFails(t *testing.T) {
	d, calls := failing(func(int) bool { return false })
	if got, err := session(t, t.TempDir(), d); err != nil || len(got) != 20 {
		t.Fatalf("a session without failures: %d acknowledged, %v", len(got), err)
	}
	modes := map[string]func(n int) func(int) bool{
		"once":       func(n int) func(int) bool { return func(i int) bool { return i == n } },
		"twice":      func(n int) func(int) bool { return func(i int) bool { return i == n || i == n+1 } },
		"five times": func(n int) func(int) bool { return func(i int) bool { return i >= n && i < n+5 } },
		"for good":   func(n int) func(int) bool { return func(i int) bool { return i >= n } },
	}
	for name, mode := range modes {
		for n := 1; n <= *calls; n++ {
			dir := t.TempDir()
			d, _ := failing(mode(n))
			acknowledged, err := session(t, dir, d)
			if !errors.Is(err, errDisk) {
				t.Fatalf("call %d fails %s: nobody was told: %v", n, name, err)
			}
			before, err := readAll(dir)
			if err != nil {
				t.Fatalf("call %d fails %s: a reader sees %v", n, name, err)
			}
			j, _, err := open(dir, quick(), segmentSize)
			if err != nil {
				t.Fatalf("call %d fails %s: reopen: %v", n, name, err)
			}
			_ = j.Close()
			after, err := readAll(dir)
			if err != nil || len(after) != len(before) {
				t.Fatalf("call %d fails %s: %d records before, %d after the reopening, %v", n, name, len(before), len(after), err)
			}
			// One more may be there whole: written, its sync failed, and then the crash.
			if extra := len(after) - len(acknowledged); extra < 0 || extra > 1 {
				t.Fatalf("call %d fails %s: %d acknowledged, %d there", n, name, len(acknowledged), len(after))
			}
			for _, r := range after {
				var body Note
				if err := r.Decode(&body); err != nil {
					t.Fatal(err)
				}
				if want, ok := acknowledged[r.Seq]; ok && want != body.Message {
					t.Fatalf("call %d fails %s: record %d is %q, want %q", n, name, r.Seq, body.Message, want)
				}
			}
		}
	}
}

func TestABrokenJournalSaysSinceWhen(t *testing.T) {
	broken := false
	d, _ := failing(func(int) bool { return broken })
	j, _, err := open(t.TempDir(), d, segmentSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	appendNotes(t, j, 2)
	broken = true
	for range 3 {
		if _, err := j.Append(start, "", KindNote, note(1), true); !errors.Is(err, errDisk) {
			t.Fatalf("Append = %v", err)
		}
	}
	broken = false
	if seq, err := j.Append(start, "", KindNote, note(1), true); err != nil || seq != 3 {
		t.Fatalf("Append on a mended Disk = %d, %v; want 3", seq, err)
	}
	if records, err := readAll(j.Dir()); err != nil || !slices.Equal(seqs(records), []uint64{1, 2, 3}) {
		t.Errorf("records %v, %v", seqs(records), err)
	}
}

// appendForever is the child of TestKill: it appends to the journal in dir and says
// each seq once it is acknowledged.
func appendForever(dir string) {
	j, _, err := open(dir, RealDisk(), 20_000)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		seq, err := j.Append(start, "shop", KindNote, note(i), true)
		if err != nil {
			panic(err)
		}
		if _, err := fmt.Fprintln(os.Stdout, seq); err != nil {
			panic(err)
		}
	}
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var last uint64
	for round := range 12 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; i < 5+7*round && lines.Scan(); i++ {
			if last, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil && n > last {
				last = n
			}
		}
		_ = cmd.Wait() // killed
		sum, err := Verify(dir)
		if err != nil || sum.Last < last || sum.First != 1 || last == 0 {
			t.Fatalf("round %d: %d acknowledged, Verify = %+v, %v", round, last, sum, err)
		}
	}
}

func TestReadWhileWriting(t *testing.T) {
	dir := t.TempDir()
	j, _, err := open(dir, RealDisk(), 5000)
	if err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for seen := 0; ; {
				records, err := readAll(dir)
				if err != nil || len(records) < seen {
					t.Errorf("a reader sees %d records after %d, %v", len(records), seen, err)
					return
				}
				seen = len(records)
				if _, err := Last(dir, 3, nil); err != nil {
					t.Errorf("Last: %v", err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	appendNotes(t, j, 400)
	close(done)
	readers.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if records, err := readAll(dir); err != nil || len(records) != 400 {
		t.Errorf("%d records, %v", len(records), err)
	}
}
