package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Repair is what Open cut off a torn tail. The zero value: nothing.
type Repair struct {
	File   string // the segment
	Offset int64  // where it ends now
	Bytes  int64  // how many bytes were cut
	Kept   string // the file that holds them
}

// String says what was cut, for the log; it is empty if nothing was.
func (r Repair) String() string {
	if r.Bytes == 0 {
		return ""
	}
	return fmt.Sprintf("cut a torn tail of %d bytes off %s at byte %d; they are kept in %s", r.Bytes, r.File, r.Offset, r.Kept)
}

// recover finds the last record, cuts a torn tail off and opens the newest segment.
func (j *Journal) recover() (Repair, error) {
	all, err := segments(j.dir)
	if err != nil {
		return Repair{}, err
	}
	if len(all) == 0 {
		return Repair{}, j.startSegment(1)
	}
	newest := all[len(all)-1]
	end, err := findEnd(j.dir, newest, nil)
	if err != nil {
		return Repair{}, err
	}
	j.seq, j.at = end.last.Seq, end.last.At
	for i := len(all) - 2; i >= 0 && j.seq == 0; i-- { // the newest was started and not written to
		older, err := findEnd(j.dir, all[i], nil)
		if err != nil {
			return Repair{}, err
		}
		if older.size < older.file {
			return Repair{}, older.damage()
		}
		j.seq, j.at = older.last.Seq, older.last.At
	}
	if end.packed { // the one after it is lost, or was taken away: nothing was acknowledged in it
		if end.size < end.file {
			return Repair{}, end.damage()
		}
		return Repair{}, j.startSegment(newest + 1)
	}
	f, err := os.OpenFile(end.path, os.O_RDWR, 0)
	if err != nil {
		return Repair{}, err
	}
	j.file, j.segment, j.synced = f, newest, end.size
	if end.size == end.file {
		// A crash may have left records in the page cache only: make them what
		// synced says they are.
		return Repair{}, errors.Join(j.disk.Sync(j.file), j.disk.Sync(j.lock))
	}
	return j.cut(end)
}

// tail is where the good part of a segment ends.
type tail struct {
	first Record // without its body; the zero value: none
	last  Record // likewise
	lines int    // good ones
	size  int64  // bytes of good lines
	file  int64  // bytes of the file, not compressed

	path   string // of the file
	packed bool   // it is compressed
	stored int64  // its size
}

// damage says that a segment that may not have a torn tail has one.
func (t tail) damage() error {
	return &DamageError{File: t.path, Line: t.lines + 1, Offset: t.size, Err: errTail}
}

// errTail says that a segment ends in bytes that are no record.
var errTail = errors.New("the segment ends in bytes that are no record, and is not the newest")

// findEnd reads a segment. Bad lines at the end, with no good line behind them, are
// its tail; a bad line before a good one is damage, and so is a record that check, if
// there is one, finds fault with.
func findEnd(dir string, n int, check func(*Record) error) (tail, error) {
	s, err := openScanner(dir, n)
	if err != nil {
		return tail{}, err
	}
	defer s.close()
	end := tail{path: s.f.path, packed: s.f.packed != nil}
	var bad *DamageError
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			end.file = s.f.read
			end.stored, err = s.f.stored()
			return end, err
		case err == nil && bad != nil:
			return tail{}, bad
		case err == nil && end.lines > 0 && r.Seq != end.last.Seq+1:
			return tail{}, gap(s, end.last.Seq, r.Seq)
		case err == nil:
			if check != nil {
				if err := check(&r); err != nil {
					return tail{}, &DamageError{File: s.f.path, Line: s.line, Offset: s.start, Err: err}
				}
			}
			r.Body, r.parts = nil, nil
			if end.lines == 0 {
				end.first = r
			}
			end.last, end.lines, end.size = r, s.line, s.offset
		default:
			var damage *DamageError
			if !errors.As(err, &damage) || damage.Line == 0 || s.line < damage.Line {
				return tail{}, err // nothing can be read behind it
			}
			if bad == nil {
				bad = damage
			}
		}
	}
}

func gap(s *scanner, last, got uint64) error {
	return &DamageError{File: s.f.path, Line: s.line, Offset: s.start, Err: fmt.Errorf("record %d follows record %d", got, last)}
}

// cut keeps the torn tail in a side file, then truncates the segment, in this order:
// a crash in between leaves both.
func (j *Journal) cut(end tail) (Repair, error) {
	torn := make([]byte, end.file-end.size)
	if _, err := j.file.ReadAt(torn, end.size); err != nil {
		return Repair{}, err
	}
	kept, err := j.keep(torn, filepath.Join(j.dir, fmt.Sprintf("torn-%08d-%d", j.segment, end.size)))
	if err != nil {
		return Repair{}, fmt.Errorf("keep the torn tail: %w", err)
	}
	if err := j.disk.Truncate(j.file, end.size); err != nil {
		return Repair{}, err
	}
	if err := j.disk.Sync(j.file); err != nil {
		return Repair{}, err
	}
	return Repair{File: j.file.Name(), Offset: end.size, Bytes: int64(len(torn)), Kept: kept}, nil
}

// keep writes a side file, under a name with a number behind it where one of that
// name exists.
func (j *Journal) keep(b []byte, path string) (string, error) {
	name := path
	for i := 1; ; i++ {
		_, err := os.Lstat(name)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return "", err
		}
		name = fmt.Sprintf("%s.%d", path, i)
	}
	f, err := j.disk.Create(name)
	if err != nil {
		return "", err
	}
	if _, err = j.disk.WriteAt(f, b, 0); err == nil {
		err = j.disk.Sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = j.disk.Sync(j.lock)
	}
	return name, err
}
