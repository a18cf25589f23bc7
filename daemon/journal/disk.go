package journal

import (
	"os"
)

// Disk is every call by which a journal changes files, so that a test can make any of
// them fail.
type Disk struct {
	Create   func(path string) (*os.File, error)
	WriteAt  func(f *os.File, b []byte, off int64) (int, error)
	Truncate func(f *os.File, size int64) error
	Sync     func(f *os.File) error
	Rename   func(from, to string) error
	Remove   func(path string) error
}

// RealDisk makes the calls as they are.
func RealDisk() Disk {
	return Disk{
		Create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
		},
		WriteAt:  func(f *os.File, b []byte, off int64) (int, error) { return f.WriteAt(b, off) },
		Truncate: func(f *os.File, size int64) error { return f.Truncate(size) },
		Sync:     func(f *os.File) error { return f.Sync() },
		Rename:   os.Rename,
		Remove:   os.Remove,
	}
}
