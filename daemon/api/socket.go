package api

import "path/filepath"

// SocketPath is where the daemon's socket is, below its runtime directory.
func SocketPath(runtime string) string { return filepath.Join(runtime, "windvane.sock") }
