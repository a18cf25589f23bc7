// Package lockedbuffer is the output of a part that runs while a test reads it. Nothing but
// tests needs it: what the program writes goes to files and streams.
package lockedbuffer

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer for several goroutines. The zero value is an empty one.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends; it does not fail.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
