package host

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What is taken of a plugin's output. The rest is counted and left out, so that a plugin
// can fill neither the memory of its host nor the disk of its host's log.
const (
	maxLine     = 64 << 10         // bytes of a line that can be a record of JSON
	maxLines    = 1000             // lines in each logWindow
	logWindow   = 10 * time.Second // see maxLines
	longestText = maxText          // bytes of a line that is none
)

// lines takes what a plugin writes and gives it to the host's log, line by line: records
// of hclog (JSON) with their level and fields, other text at debug, a panic at error.
type lines struct {
	log *slog.Logger
	now func() time.Time

	line []byte // the one that has not ended, at most maxLine bytes of it
	over int    // bytes of it that were left out

	since     time.Time // when the window began
	count     int       // lines in it
	left      int       // those of them that were left out
	panicking bool      // the Go runtime is printing why the plugin ends

	mu    sync.Mutex // guards what follows
	words string     // see last
}

var _ io.Writer = (*lines)(nil)

// Write never fails.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := min(len(part), maxLine-len(l.line))
		l.line = append(l.line, part[:room]...)
		l.over += len(part) - room
		if ended {
			l.end()
		}
		p = rest
	}
	return n, nil
}

// end logs the line, if there is one.
func (l *lines) end() {
	line, over := bytes.TrimSpace(l.line), l.over
	l.line, l.over = l.line[:0], 0
	if len(line) == 0 || !l.admitted() {
		return
	}
	if over == 0 && line[0] == '{' && l.record(line) {
		return
	}
	if cut := len(line) - longestText; cut > 0 {
		line, over = line[:longestText], over+cut
	}
	text := strings.ToValidUTF8(string(line), "\ufffd")
	level := slog.LevelDebug
	if !l.panicking { // of a panic the first line says what it is
		l.keep(text)
	}
	l.panicking = l.panicking || strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")
	if l.panicking {
		level = slog.LevelError
	}
	if over > 0 {
		l.write(level, text, slog.Int("bytes_left_out", over))
		return
	}
	l.write(level, text)
}

// record logs a record of hclog; it reports false if it is none.
func (l *lines) record(line []byte) bool {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return false
	}
	message, ok := fields["@message"].(string)
	name, _ := fields["@level"].(string)
	level, known := levels[hclog.LevelFromString(name)]
	if !ok || !known {
		return false
	}
	if level >= slog.LevelError {
		l.keep(message)
	}
	var attrs []any
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") { // of hclog itself
			attrs = append(attrs, slog.Any(key, fields[key]))
		}
	}
	if len(attrs) == 0 {
		l.write(level, message)
		return true
	}
	l.write(level, message, slog.Group("fields", attrs...)) // a group, so that none passes for the host's
	return true
}

// maxWords bounds what last returns, in bytes.
const maxWords = 500

func (l *lines) keep(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.words = text[:min(len(text), maxWords)]
}

// last is the last line that is no record, or a record of an error: mostly why it ends.
func (l *lines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return printable(l.words)
}

// admitted reports whether there is room for a line in this window.
func (l *lines) admitted() bool {
	now := l.now()
	if now.Sub(l.since) >= logWindow {
		l.missed()
		l.since, l.count = now, 0
	}
	l.count++
	if l.count > maxLines {
		l.left++
		return false
	}
	return true
}

// missed says how many lines were left out.
func (l *lines) missed() {
	if l.left > 0 {
		l.write(slog.LevelWarn, "the plugin writes too much", slog.Int("lines_left_out", l.left))
		l.left = 0
	}
}

func (l *lines) write(level slog.Level, message string, attrs ...slog.Attr) {
	l.log.LogAttrs(context.Background(), level, message, attrs...) //nolint:forbidigo // a line has none
}

// stderr is a plugin's standard error as go-plugin is to see it, which panics at a record
// of JSON that it does not expect: it has an end, and nothing before it.
type stderr struct {
	io.ReadCloser
	lines *lines
	read  func() // is called at the end
}

// Read returns at the end, when all has been logged.
func (s stderr) Read([]byte) (int, error) {
	_, _ = io.Copy(s.lines, s.ReadCloser) // the error is the end of the process, which its owner knows
	s.lines.end()
	s.lines.missed()
	s.read()
	return 0, io.EOF
}

// newLogger returns a logger for go-plugin, whose lines go to log.
func newLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	l.RegisterSink(sink{log})
	return l
}

// sink is an hclog.SinkAdapter over slog.
type sink struct{ log *slog.Logger }

func (s sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	if name != "" {
		args = append([]any{"logger", name}, args...)
	}
	s.log.Log(context.Background(), levels[level], clip(msg), args...) //nolint:forbidigo // hclog has none
}

// levels are slog's for hclog's. What go-plugin traces is for its own authors.
var levels = map[hclog.Level]slog.Level{
	hclog.Trace: slog.LevelDebug,
	hclog.Debug: slog.LevelDebug,
	hclog.Info:  slog.LevelInfo,
	hclog.Warn:  slog.LevelWarn,
	hclog.Error: slog.LevelError,
}
