package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// scanner reads a segment line by line, forwards.
type scanner struct {
	f      *segmentFile
	r      *bufio.Reader
	start  int64 // of the last line returned
	offset int64 // of the next line
	line   int   // number of the last line returned, from 1
}

func openScanner(dir string, n int) (*scanner, error) {
	f, err := openSegment(dir, n)
	if err != nil {
		return nil, err
	}
	return &scanner{f: f, r: bufio.NewReaderSize(f, 64<<10)}, nil
}

func (s *scanner) close() { s.f.close() }

// errTorn says that the segment ends in bytes without a newline.
var errTorn = errors.New("the last line has no newline")

// next returns the next record. The error is io.EOF at the end, errTorn before
// bytes without a newline at the end, a DamageError for a line that does not read
// back, after which next goes on with the line that follows it.
func (s *scanner) next() (Record, error) {
	raw, err := s.readLine()
	if err != nil {
		return Record{}, err
	}
	r, err := decode(raw)
	if err != nil {
		// The writer may have cut a failed write off and written anew while this
		// line was half read: only what is still there at a second look is damage.
		again, seekErr := s.f.rewind(s.offset)
		if seekErr != nil {
			return Record{}, fmt.Errorf("read journal: %w", seekErr)
		}
		if again {
			s.r.Reset(s.f)
			if raw, err = s.readLine(); err != nil {
				return Record{}, err
			}
			r, err = decode(raw)
		}
	}
	s.start = s.offset
	s.offset += int64(len(raw)) + 1
	s.line++
	if err != nil {
		return Record{}, &DamageError{File: s.f.path, Line: s.line, Offset: s.start, Err: err}
	}
	return r, nil
}

// readLine returns the line at s.offset without its newline. A line longer than the
// limit is returned whole only up to the limit; it cannot decode.
func (s *scanner) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := s.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) > maxLine {
				return nil, &DamageError{
					File: s.f.path, Line: s.line + 1, Offset: s.offset,
					Err: fmt.Errorf("the line is longer than the limit of %d bytes", maxLine),
				}
			}
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errTorn
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("read journal: %w", err)
		}
	}
}

// backwards calls yield with each whole line of the file, the last one first, until
// it returns false. Bytes after the last newline are passed over.
func (s *segmentFile) backwards(yield func(line []byte, offset int64) bool) error {
	f, size, err := s.random()
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	const chunk = 256 << 10
	var rest []byte // bytes from start on that belong to lines not yet yielded
	whole := false  // rest ends where a line ends
	for start := size; start > 0; {
		n := min(int64(chunk), start)
		start -= n
		b := make([]byte, n, n+int64(len(rest)))
		if _, err := f.ReadAt(b, start); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		rest = append(b, rest...)
		for {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if whole && !yield(rest[i+1:], start+int64(i)+1) {
				return nil
			}
			rest, whole = rest[:i], true
		}
		if len(rest) > maxLine {
			return fmt.Errorf("read journal: %s: a line before byte %d is longer than the limit of %d bytes", s.path, start, maxLine)
		}
	}
	if whole {
		yield(rest, 0)
	}
	return nil
}
