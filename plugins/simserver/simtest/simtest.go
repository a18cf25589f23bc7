// Package simtest serves the simulator to tests, of learners as of its clients.
package simtest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/windvane/windvane/internal/unixsocket"
	"github.com/windvane/windvane/plugins/simserver"
)

// Serve serves a scenario on a unix socket until the test ends, and returns its path.
func Serve(t testing.TB, s *simserver.Scenario) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := unixsocket.Listen(socket, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- simserver.Serve(ctx, l, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}
