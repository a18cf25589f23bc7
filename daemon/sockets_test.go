package daemon_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What a killed daemon has left of its plugins' sockets is gone after the next start.
func TestStartSweepsSocketsUp(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	left := filepath.Join(r.sockets, "plugin-dir4711")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r.start()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
}
