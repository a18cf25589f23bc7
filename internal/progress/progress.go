// Package progress tells a person how far long work is: on a terminal in one line that
// is rewritten in place, elsewhere in plain lines now and then. Work that is done within
// two seconds is not spoken of.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	patience = 2 * time.Second        // how long work may be silent
	redraw   = 200 * time.Millisecond // of a terminal's line
	pause    = 10 * time.Second       // between two plain lines that say the same with other numbers
	bar      = 20                     // characters
)

// Meter shows how far one command's work is. Its methods may be called by several
// goroutines; Stop ends the one that it has itself.
type Meter struct {
	command  string
	w        io.Writer
	terminal bool
	columns  int
	quit     chan struct{}
	ended    chan struct{}

	mu          sync.Mutex
	start       time.Time // of the command
	what        string
	remark      string
	begun       time.Time // of what
	first       int       // done when it began
	done, of    int       // of 0: nobody knows how much it is
	counted     time.Time // when done was last said
	said        time.Time // when the last line was written
	saidWhat    string
	drawn, over bool
}

// New starts a meter that writes to w. It is a terminal's if w is one.
func New(command string, w io.Writer) *Meter {
	m := &Meter{command: command, w: w, columns: 80, start: time.Now(), quit: make(chan struct{}), ended: make(chan struct{})}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		m.terminal = true
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			m.columns = columns
		}
	}
	go m.run()
	return m
}

// Note says what is being done from now on, where nobody can count it.
func (m *Meter) Note(what string) { m.Count(what, 0, 0) }

// Count says what is being done, and that done of of are done. The rate and the time left
// are those since it was first said of the same what.
func (m *Meter) Count(what string, done, of int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if what != m.what {
		m.what, m.remark, m.begun, m.first = what, "", time.Now(), done
	}
	m.done, m.of, m.counted = done, of, time.Now()
}

// Remark is said with what is being done, until that is something else.
func (m *Meter) Remark(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remark = text
}

// Stop ends the meter, and clears its line. It may be called twice.
func (m *Meter) Stop() {
	m.mu.Lock()
	over := m.over
	m.over = true
	m.mu.Unlock()
	if over {
		return
	}
	close(m.quit)
	<-m.ended
}

func (m *Meter) run() {
	defer close(m.ended)
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			if m.drawn {
				m.print("\r\x1b[K")
			}
			return
		case <-tick.C:
			m.say(time.Now())
		}
	}
}

// say writes a line where one is due.
func (m *Meter) say(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.what == "" || now.Sub(m.start) < patience {
		return
	}
	if m.terminal {
		m.drawn = true
		m.print("\r" + cut(m.line(now), m.columns-1) + "\x1b[K")
		return
	}
	if m.what != m.saidWhat || now.Sub(m.said) >= pause {
		m.said, m.saidWhat = now, m.what
		m.print(m.line(now) + "\n")
	}
}

// line is what is said: how far it is, and the remark.
func (m *Meter) line(now time.Time) string {
	if m.remark == "" {
		return m.far(now)
	}
	return m.far(now) + "; " + m.remark
}

// far is, for example, "train: [#####...............] 75000 of 300000 steps learned,
// 25000/s, 9 s left", or, where nobody can count, "train: fitting 45343 rows, 3 s".
func (m *Meter) far(now time.Time) string {
	took := now.Sub(m.begun).Seconds()
	if m.of <= 0 {
		return fmt.Sprintf("%s: %s, %s", m.command, m.what, seconds(took))
	}
	full := min(bar, bar*m.done/m.of)
	text := fmt.Sprintf("%s: [%s%s] %d of %d %s", m.command, strings.Repeat("#", full), strings.Repeat(".", bar-full), m.done, m.of, m.what)
	n, since := float64(m.done-m.first), now.Sub(m.counted).Seconds()
	if took -= since; n <= 0 || took <= 0 {
		return fmt.Sprintf("%s, %s", text, seconds(took+since))
	}
	left := max(0, float64(m.of-m.done)*took/n-since)
	rate := fmt.Sprintf("%.0f/s", n/took)
	if n < took {
		rate = fmt.Sprintf("%.1f s each", took/n)
	}
	return fmt.Sprintf("%s, %s, %s left", text, rate, seconds(left))
}

// seconds are written as such up to two minutes.
func seconds(s float64) string {
	if s < 120 {
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.0f min", s/60)
}

func cut(text string, columns int) string {
	if r := []rune(text); len(r) > columns && columns > 0 {
		return string(r[:columns])
	}
	return text
}

// print ignores errors: progress that nobody can read is no reason to stop.
func (m *Meter) print(text string) { _, _ = io.WriteString(m.w, text) }
