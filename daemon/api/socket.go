package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// socketMode lets the owner and the group of the socket in: whoever may connect may act.
const socketMode = 0o660

// longestPath is how many bytes the path of a socket may have: sun_path of unix(7), less the
// zero behind it, and on other systems than Linux a few less.
const longestPath = 103

// SocketPath is where the daemon's socket is, below its runtime directory.
func SocketPath(runtime string) string { return filepath.Join(runtime, "windvane.sock") }

// listenSocket listens at path. What a daemon that is dead has left there is replaced; what
// is no socket, or that of one that lives, is an error. The socket gets its permissions
// before it gets its name, so that nobody can connect in between.
func listenSocket(path string) (net.Listener, error) {
	if err := removable(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // of mode 0700
	if err != nil {
		return nil, fmt.Errorf("listen on the socket %s: %w", path, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by then
	hidden := filepath.Join(dir, "s")
	if max(len(hidden), len(path)) > longestPath {
		return nil, fmt.Errorf("listen on the socket %s: the path of a socket has at most %d bytes; give windvane a runtime directory with a shorter name", path, longestPath)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on the socket %s: %w", path, err)
	}
	listener.SetUnlinkOnClose(false)
	err = os.Chmod(hidden, socketMode)
	if err == nil {
		err = os.Rename(hidden, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the socket %s: %w", path, err), listener.Close())
	}
	return &socketListener{UnixListener: listener, path: path}, nil
}

// removable reports as an error why what is at path may not be replaced.
func removable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on a socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("listen on the socket %s: there is something else of this name; move it away, or give windvane a runtime directory of its own", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close() // nothing was sent
		return fmt.Errorf("listen on the socket %s: another windvane listens there; stop it, or give this one a runtime directory of its own", path)
	}
	return nil
}

// socketListener removes its path when it is closed.
type socketListener struct {
	*net.UnixListener
	path string
}

// Close implements net.Listener. A second Close leaves the path alone, which may be
// another's by then.
func (l *socketListener) Close() error {
	if err := l.UnixListener.Close(); err != nil {
		return err
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the socket: %w", err)
	}
	return nil
}
