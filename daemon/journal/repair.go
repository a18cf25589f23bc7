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
	end, err := findEnd(segmentPath(j.dir, newest))
	if err != nil {
		return Repair{}, err
	}
	j.seq = end.last.Seq
	for i := len(all) - 2; i >= 0 && j.seq == 0; i-- { // the newest was started and not written to
		older, err := findEnd(segmentPath(j.dir, all[i]))
		if err != nil {
			return Repair{}, err
		}
		if older.size < older.file {
			return Repair{}, older.damage(segmentPath(j.dir, all[i]))
		}
		j.seq = older.last.Seq
	}
	f, err := os.OpenFile(segmentPath(j.dir, newest), os.O_RDWR, 0)
	if err != nil {
		return Repair{}, err
	}
	j.file, j.segment, j.synced = f, newest, end.size
	if end.size == end.file {
		// A crash may have left records in the page cache only: make them what
		// synced says they are.
		return Repair{}, errors.Join(j.disk.sync(j.file), j.disk.sync(j.lock))
	}
	return j.cut(end)
}

// tail is where the good part of a segment ends.
type tail struct {
	first Record // without its body; the zero value: none
	last  Record // likewise
	lines int    // good ones
	size  int64  // bytes of good lines
	file  int64  // bytes of the file
}

// damage says that a segment that may not have a torn tail has one.
func (t tail) damage(path string) error {
	return &DamageError{File: path, Line: t.lines + 1, Offset: t.size, Err: errTail}
}

// errTail says that a segment ends in bytes that are no record.
var errTail = errors.New("the segment ends in bytes that are no record, and is not the newest")

// findEnd reads a segment. Bad lines at the end, with no good line behind them, are
// its tail; a bad line before a good one is damage.
func findEnd(path string) (tail, error) {
	s, err := openScanner(path)
	if err != nil {
		return tail{}, err
	}
	defer s.close()
	info, err := s.f.Stat()
	if err != nil {
		return tail{}, err
	}
	end := tail{file: info.Size()}
	var bad *DamageError
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			return end, nil
		case err == nil && bad != nil:
			return tail{}, bad
		case err == nil && end.lines > 0 && r.Seq != end.last.Seq+1:
			return tail{}, gap(s, end.last.Seq, r.Seq)
		case err == nil:
			r.Body = nil
			if end.lines == 0 {
				end.first = r
			}
			end.last, end.lines, end.size = r, s.line, s.offset
		default:
			var damage *DamageError
			if !errors.As(err, &damage) || s.line < damage.Line {
				return tail{}, err
			}
			if bad == nil {
				bad = damage
			}
		}
	}
}

func gap(s *scanner, last, got uint64) error {
	return &DamageError{File: s.f.Name(), Line: s.line, Offset: s.start, Err: fmt.Errorf("record %d follows record %d", got, last)}
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
	if err := j.disk.truncate(j.file, end.size); err != nil {
		return Repair{}, err
	}
	if err := j.disk.sync(j.file); err != nil {
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
	f, err := j.disk.create(name)
	if err != nil {
		return "", err
	}
	if _, err = j.disk.writeAt(f, b, 0); err == nil {
		err = j.disk.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = j.disk.sync(j.lock)
	}
	return name, err
}
