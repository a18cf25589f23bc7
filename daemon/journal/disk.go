package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// disk is every call that changes files, so that tests can make any of them fail.
type disk struct {
	create   func(path string) (*os.File, error)
	writeAt  func(f *os.File, b []byte, off int64) (int, error)
	truncate func(f *os.File, size int64) error
	sync     func(f *os.File) error
}

func realDisk() disk {
	return disk{
		create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
		},
		writeAt:  func(f *os.File, b []byte, off int64) (int, error) { return f.WriteAt(b, off) },
		truncate: func(f *os.File, size int64) error { return f.Truncate(size) },
		sync:     func(f *os.File) error { return f.Sync() },
	}
}

var segmentName = regexp.MustCompile(`^([0-9]{8})\.jsonl$`)

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
	for i := 1; i < len(out); i++ {
		if out[i] != out[i-1]+1 {
			return nil, &DamageError{File: segmentPath(dir, out[i-1]+1), Err: os.ErrNotExist}
		}
	}
	return out, nil
}
