package api

import "path/filepath"

// socketMode lets the owner and the group of the socket in: whoever may connect may act.
const socketMode = 0o660

// SocketPath is where the daemon's socket is, below its runtime directory.
func SocketPath(runtime string) string { return filepath.Join(runtime, "windvane.sock") }
