package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/host"
)

// tailLines is how many of a plugin's lines are kept.
const tailLines = 10

// chatter is what go-plugin writes for every plugin in Go.
var chatter = []string{"configuring server automatic mTLS", "plugin address"}

// Tail keeps the last lines that a plugin wrote. The zero value has none.
type Tail struct {
	mu    sync.Mutex
	lines []string
}

// Logger is for host.Options: it keeps what comes from the plugin.
func (t *Tail) Logger() *slog.Logger { return slog.New(&tailHandler{tail: t}) }

func (t *Tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, line)
}

// Last returns the lines.
func (t *Tail) Last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// tailHandler keeps what a host logs of its plugin's output, and nothing of the host's.
type tailHandler struct {
	tail   *Tail
	plugin bool // what is logged comes from the plugin
}

var _ slog.Handler = (*tailHandler)(nil)

// Enabled takes all levels.
func (h *tailHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a line.
func (h *tailHandler) Handle(_ context.Context, r slog.Record) error {
	if !h.plugin || slices.Contains(chatter, r.Message) {
		return nil
	}
	line := r.Message
	if r.Level > slog.LevelDebug {
		line = r.Level.String() + " " + line
	}
	r.Attrs(func(a slog.Attr) bool {
		for _, f := range flat(a) {
			line += fmt.Sprintf(" %s=%.200v", f.Key, f.Value)
		}
		return true
	})
	h.tail.add(line)
	return nil
}

func flat(a slog.Attr) []slog.Attr {
	if a.Value.Kind() == slog.KindGroup {
		return a.Value.Group()
	}
	return []slog.Attr{a}
}

// WithAttrs looks for the attribute that a host gives to its plugin's output.
func (h *tailHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	from := func(a slog.Attr) bool {
		return a.Key == "logger" && (a.Value.String() == host.LoggerStderr || a.Value.String() == host.LoggerOutput)
	}
	return &tailHandler{tail: h.tail, plugin: h.plugin || slices.ContainsFunc(attrs, from)}
}

// WithGroup is not used by a host.
func (h *tailHandler) WithGroup(string) slog.Handler { return h }
