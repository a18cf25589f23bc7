// Package atomicfile replaces small files so that a crash at any moment leaves the old
// content or the new one, never half of one.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write makes b the content of a file; it is on the disk when Write returns without an
// error. Directories that are missing are made. What root writes is owned by whoever owns
// the directory: a daemon has to be able to read what an administrator has set beside it.
func Write(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, handOver(f, dir), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// handOver gives a file of root's to the owner of its directory.
func handOver(f *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var owner unix.Stat_t
	if err := unix.Stat(dir, &owner); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// syncDir takes the new name to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
