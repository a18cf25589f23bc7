package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// packWindow is how far back compression looks: further than the intent before, with
// a thousand services.
const packWindow = 8 << 20

// Retention says what a journal keeps. The newest segment and the one before are kept
// whatever it says: restarts and releases need them.
type Retention struct {
	Age  time.Duration // of a segment's newest record, against the journal's; 0: any
	Size int64         // bytes of all segments as they are stored; 0: any
}

// Tidied is what Tidy did. The zero value: nothing.
type Tidied struct {
	Packed  int   // segments compressed
	Removed int   // segments that had expired
	Freed   int64 // bytes
}

// Tidy removes segments that have expired, oldest first, then compresses the
// complete ones. It may run while records are appended, and takes a while: 0.3 s for a
// segment of 64 MiB. A crash or an error in between costs nothing but space.
func (j *Journal) Tidy(r Retention) (Tidied, error) {
	j.tidying.Lock()
	defer j.tidying.Unlock()
	j.mu.Lock()
	current, at, closed := j.segment, j.at, j.closed
	j.mu.Unlock()
	if closed {
		return Tidied{}, fmt.Errorf("tidy journal: %w", ErrClosed)
	}
	var out Tidied
	err := j.expire(r, current, at, &out)
	if err == nil {
		err = j.packAll(current, &out)
	}
	if err != nil {
		return out, fmt.Errorf("tidy journal %s: %w", j.dir, err)
	}
	return out, nil
}

// expire removes segments; newest first would leave a gap if it were cut short.
func (j *Journal) expire(r Retention, current int, at time.Time, out *Tidied) error {
	all, err := segments(j.dir)
	if err != nil {
		return err
	}
	var total int64
	sizes := make([]int64, len(all))
	for i, n := range all {
		if sizes[i], err = storedSize(j.dir, n); err != nil {
			return err
		}
		total += sizes[i]
	}
	for i := 0; i < len(all) && all[i] < current-1; i++ {
		old, err := j.older(all[i], r.Age, at)
		if err != nil {
			return err
		}
		if !old && (r.Size == 0 || total <= r.Size) {
			break
		}
		for _, path := range []string{segmentPath(j.dir, all[i]), segmentPath(j.dir, all[i]) + packedSuffix} {
			if err := j.disk.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		total -= sizes[i]
		out.Removed++
		out.Freed += sizes[i]
	}
	if out.Removed == 0 {
		return nil
	}
	return j.disk.Sync(j.lock)
}

// older reports whether all records of a segment are older than age. The first record of the
// segment behind is younger than all of them, and the quickest to read.
func (j *Journal) older(n int, age time.Duration, at time.Time) (bool, error) {
	if age == 0 {
		return false, nil
	}
	s, err := openScanner(j.dir, n+1)
	if err != nil {
		return false, err
	}
	defer s.close()
	first, err := s.next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil && at.Sub(first.At) > age, err
}

func storedSize(dir string, n int) (int64, error) {
	var total int64
	for _, path := range []string{segmentPath(dir, n), segmentPath(dir, n) + packedSuffix} {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		if err == nil {
			total += info.Size()
		}
	}
	return total, nil
}

// packAll compresses the plain segments before the current one.
func (j *Journal) packAll(current int, out *Tidied) error {
	all, err := segments(j.dir)
	if err != nil {
		return err
	}
	for _, n := range all {
		path := segmentPath(j.dir, n)
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) || n >= current {
			continue
		}
		if err != nil {
			return err
		}
		packed, err := j.pack(path)
		if err != nil {
			return fmt.Errorf("compress %s: %w", path, err)
		}
		out.Packed++
		out.Freed += info.Size() - packed
	}
	return nil
}

// pack compresses a segment and removes its plain form. The compressed form is whole and
// on disk before it has its name, so that where both are, both are whole.
func (j *Journal) pack(path string) (int64, error) {
	from, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = from.Close() }() // opened for reading
	temporary := path + packedSuffix + ".tmp"
	to, err := j.disk.Create(temporary)
	if err != nil {
		return 0, err
	}
	size, err := j.compress(from, to)
	if err = errors.Join(err, to.Close()); err == nil {
		err = j.disk.Rename(temporary, path+packedSuffix)
	}
	if err != nil {
		return 0, errors.Join(err, j.disk.Remove(temporary))
	}
	if err := j.disk.Sync(j.lock); err != nil {
		return 0, err
	}
	return size, j.disk.Remove(path)
}

func (j *Journal) compress(from io.Reader, to *os.File) (int64, error) {
	if err := j.disk.Truncate(to, 0); err != nil { // what a crash left
		return 0, err
	}
	w := &diskWriter{disk: j.disk, f: to}
	enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow))
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(enc, from); err != nil {
		return 0, errors.Join(err, enc.Close())
	}
	if err := enc.Close(); err != nil {
		return 0, err
	}
	return w.size, j.disk.Sync(to)
}

// diskWriter writes a file from its start.
type diskWriter struct {
	disk Disk
	f    *os.File
	size int64
}

// Write implements io.Writer.
func (w *diskWriter) Write(b []byte) (int, error) {
	n, err := w.disk.WriteAt(w.f, b, w.size)
	w.size += int64(n)
	return n, err
}
