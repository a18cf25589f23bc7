package draft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes the files below a directory and returns their paths. One that is there
// already is never overwritten: then nothing is written at all.
func (d Draft) Write(dir string) ([]string, error) {
	var paths []string
	for _, f := range d.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s is there already, and is never overwritten; nothing was written: move it away, or name another directory with -o", path)
		}
		paths = append(paths, path)
	}
	for i, f := range d.Files {
		if err := os.MkdirAll(filepath.Dir(paths[i]), 0o755); err != nil {
			return paths[:i], err
		}
		file, err := os.OpenFile(paths[i], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return paths[:i], err
		}
		_, err = file.WriteString(f.Text)
		if err = errors.Join(err, file.Close()); err != nil {
			return paths[:i], err
		}
	}
	return paths, nil
}
