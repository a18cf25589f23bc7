package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// socketDirs is how go-plugin's names of the directories begin that it makes for the sockets
// of plugins, one for each run; a number follows.
const socketDirs = "plugin-dir"

// SweepSockets removes from a directory for sockets what plugins have left whose host was killed:
// a host that ends removes it. No other host may use the directory.
func SweepSockets(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep the sockets of plugins: %w", err)
	}
	var errs []error
	for _, e := range entries {
		number, is := strings.CutPrefix(e.Name(), socketDirs)
		if is && strings.Trim(number, "0123456789") == "" && e.IsDir() {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
