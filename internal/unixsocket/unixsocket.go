// Package unixsocket listens on unix sockets that outlive a crash well: a dead listener's
// socket is replaced, a live one's and whatever else has the name are left alone.
package unixsocket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// longestPath is how many bytes the path of a socket may have: sun_path of unix(7), less the
// zero behind it, and on other systems than Linux a few less.
const longestPath = 103

// Listen listens at path, with a socket of the given permissions. What a process that is
// dead has left there is replaced; what is no socket, or that of one that lives, is an
// error. The socket gets its permissions before it gets its name, so that nobody can
// connect in between. Closing the listener removes the socket.
func Listen(path string, mode os.FileMode) (net.Listener, error) {
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
		return nil, fmt.Errorf("listen on the socket %s: the path of a socket has at most %d bytes; use a directory with a shorter name", path, longestPath)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on the socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(hidden, mode)
	if err == nil {
		err = os.Rename(hidden, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the socket %s: %w", path, err), l.Close())
	}
	return &listener{UnixListener: l, path: path}, nil
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
		return fmt.Errorf("listen on the socket %s: there is something else of this name; move it away, or use another directory", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close() // nothing was sent
		return fmt.Errorf("listen on the socket %s: another windvane listens there; stop it, or use another directory", path)
	}
	return nil
}

// listener removes its path when it is closed.
type listener struct {
	*net.UnixListener
	path string
}

// Close implements net.Listener. A second Close leaves the path alone, which may be
// another's by then.
func (l *listener) Close() error {
	if err := l.UnixListener.Close(); err != nil {
		return err
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the socket: %w", err)
	}
	return nil
}
