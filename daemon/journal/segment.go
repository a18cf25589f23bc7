package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// packedSuffix is that of a segment that is complete and compressed.
const packedSuffix = ".zst"

var segmentName = regexp.MustCompile(`^([0-9]{8})\.jsonl(\.zst)?$`)

func segmentPath(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.jsonl", n))
}

// segments lists the numbers of a directory's segments in order. The oldest may have
// been removed; a missing one in between is damage.
func segments(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	var out []int
	for _, e := range entries {
		if m := segmentName.FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, fmt.Errorf("read journal: segment %s: %w", e.Name(), err)
			}
			out = append(out, n)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out) // a crash may have left both forms of one
	for i := 1; i < len(out); i++ {
		if out[i] != out[i-1]+1 {
			return nil, &DamageError{File: segmentPath(dir, out[i-1]+1), Err: os.ErrNotExist}
		}
	}
	return out, nil
}

// segmentFile is a segment that is open for reading, in whichever form it is.
type segmentFile struct {
	path   string // of the form that was found
	file   *os.File
	packed *zstd.Decoder // nil: not compressed
	read   int64         // bytes of records so far, from the start
}

// openSegment opens the plain form if it is there: while a segment is being compressed it
// is the one that is complete.
func openSegment(dir string, n int) (*segmentFile, error) {
	path := segmentPath(dir, n)
	f, err := os.Open(path)
	if err == nil {
		return &segmentFile{path: path, file: f}, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if f, err = os.Open(path + packedSuffix); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read journal: %w", err), f.Close())
	}
	return &segmentFile{path: path + packedSuffix, file: f, packed: d}, nil
}

// Read implements io.Reader. A compressed segment that does not read back is damage.
func (s *segmentFile) Read(b []byte) (int, error) {
	if s.packed == nil {
		n, err := s.file.Read(b)
		s.read += int64(n)
		return n, err
	}
	n, err := s.packed.Read(b)
	s.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &DamageError{File: s.path, Offset: s.read, Err: fmt.Errorf("the compressed segment does not read back: %w", err)}
	}
	return n, err
}

// rewind goes on reading at an offset; false for a compressed segment, which cannot.
func (s *segmentFile) rewind(offset int64) (bool, error) {
	if s.packed != nil {
		return false, nil
	}
	_, err := s.file.Seek(offset, io.SeekStart)
	s.read = offset
	return true, err
}

// random gives access to any byte of the segment's records.
func (s *segmentFile) random() (io.ReaderAt, int64, error) {
	if s.packed == nil {
		info, err := s.file.Stat()
		if err != nil {
			return nil, 0, err
		}
		return s.file, info.Size(), nil
	}
	all, err := io.ReadAll(s)
	return bytes.NewReader(all), int64(len(all)), err
}

// stored is the size of the file.
func (s *segmentFile) stored() (int64, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	return info.Size(), nil
}

func (s *segmentFile) close() { // opened for reading: nothing can be lost
	if s.packed != nil {
		s.packed.Close()
	}
	_ = s.file.Close()
}
