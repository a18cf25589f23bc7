package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/windvane/windvane/sim/train"
	"github.com/windvane/windvane/station"
)

// Screen tells the demo's story: on a terminal with lines that are rewritten in
// place, elsewhere with plain lines now and then.
type Screen struct {
	Out      io.Writer
	Terminal bool // Out understands ANSI escapes
	drawn    int  // lines of the block that is rewritten
}

// refresh is how often a terminal is redrawn; elsewhere a line is printed at each
// tenth of the work.
const refresh = 150 * time.Millisecond

func (s *Screen) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Out, format, args...) // a story nobody can read is no reason to stop
}

// Title says what will be seen.
func (s *Screen) Title(sc *Scenario) {
	s.printf("windvane demo, seed %d: the daemon as it is shipped, in front of an emulated mesh: two services, each routed over\n"+
		"two versions of a node that they share. Virtual time, %.0f s an interval. Each service promises that its p95 is within a bound\n"+
		"in %.0f %% of the intervals: an error budget of %.0f %%.\n", sc.Seed, Interval.Seconds(), 100*(1-Budget), 100*Budget)
}

// Address tells where the autopilot's daemon answers.
func (s *Screen) Address(url string) {
	if url != "" {
		s.printf("Watch it in a browser at %s/ while the demo runs; /api/v1/status and /metrics answer there, too.\n", url)
	}
}

// Part starts a part.
func (s *Screen) Part(n int, what string) { s.printf("\n%d. %s\n", n, what) }

// block rewrites the block of lines at the bottom of a terminal.
func (s *Screen) block(lines []string) {
	var b strings.Builder
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + l + "\n")
	}
	s.drawn = len(lines)
	s.printf("%s", b.String())
}

// watch runs work and shows its lines until it is done. done and total say how far it is.
func (s *Screen) watch(work func() error, total int, done func() int, lines func(final bool) []string) error {
	ended := make(chan error, 1)
	go func() { ended <- work() }()
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	tenth := 0
	for {
		select {
		case err := <-ended:
			if s.Terminal {
				s.block(lines(true))
				s.drawn = 0
			} else if err == nil {
				s.printf("%s\n", strings.Join(lines(true), "\n"))
			}
			return err
		case <-tick.C:
			switch {
			case s.Terminal:
				s.block(lines(false))
			case total > 0 && 10*done()/total > tenth:
				tenth = 10 * done() / total
				s.printf("%s\n", strings.Join(lines(false), "\n"))
			}
		}
	}
}

// Follow shows one station's progress through a part.
func (s *Screen) Follow(t *tally, total int, verb string, work func() error) error {
	before, _ := t.progress()
	start := time.Now()
	done := func() int { n, _ := t.progress(); return min(n-before, total) }
	return s.watch(work, total, done, func(final bool) []string {
		n := done()
		if final {
			n = total
		}
		return []string{fmt.Sprintf("   %s %s %d of %d intervals%s", bar(n, total), verb, n, total, left(start, n, total))}
	})
}

// Wait shows that something is under way.
func (s *Screen) Wait(work func() error, what string) error {
	start := time.Now()
	return s.watch(work, 0, func() int { return 0 }, func(final bool) []string {
		if final {
			return []string{fmt.Sprintf("   %s: %.1f s", what, time.Since(start).Seconds())}
		}
		return []string{fmt.Sprintf("   %s ... %.0f s", what, time.Since(start).Seconds())}
	})
}

// bar is a progress bar of 20 characters.
func bar(n, total int) string {
	full := 20 * n / max(total, 1)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", 20-full) + "]"
}

// left is the time that the rest will take at the pace so far.
func left(start time.Time, n, total int) string {
	took := time.Since(start).Seconds()
	switch {
	case n >= total:
		return fmt.Sprintf(" in %.1f s", took)
	case n == 0 || took < 1:
		return ""
	}
	return fmt.Sprintf(", %.0f s left", took/float64(n)*float64(total-n))
}

// Observed tells how a service did without control.
func (s *Screen) Observed(r Row, budget float64) {
	s.printf("   %-12s bound broken in %4.1f %% of the intervals; the budget is %.0f %%\n", r.Service, 100*r.ViolatedRatio, 100*budget)
}

// Learned tells what the model knows.
func (s *Screen) Learned(t *train.Tabular) {
	s.printf("   learned from %d intervals with %d different settings:\n", t.Card.Data.Rows, t.Card.Data.Configurations)
	for _, c := range t.Card.Services {
		s.printf("   %-12s R2 %.2f on settings it had not seen; 90 %% of its predictions within %.0f %%; first margin %+.0f %%; load %.0f to %.0f requests/s\n",
			c.Service, c.R2, 100*c.Spread, 100*c.Margin, c.Offered.Min, c.Offered.Max)
	}
}

// Static tells what the autopilot has to beat.
func (s *Screen) Static(st *Static) {
	s.printf("   best static setting of %d tried on the load to come: carries %.1f %% within both budgets\n",
		st.Tried, 100*share(float64(st.Carried), st.Offered))
}

// Compare shows all controllers while they run.
func (s *Screen) Compare(tallies map[string]*tally, total int, work func() error) error {
	start := time.Now()
	pilot := tallies[ControllerTabular]
	before, _ := pilot.progress()
	done := func() int { n, _ := pilot.progress(); return min(n-before, total) }
	return s.watch(work, total, done, func(final bool) []string {
		n := done()
		_, last := pilot.progress()
		phase := pilot.scenario.PhaseAt(last.Report.At.Sub(station.Epoch).Seconds())
		head := fmt.Sprintf("   %s %d of %d intervals%s   %s", bar(n, total), n, total, left(start, n, total), phase)
		if !s.Terminal {
			return []string{head + "   " + summary(pilot)}
		}
		return append([]string{head}, liveTable(tallies)...)
	})
}

// summary is the autopilot's total so far in a line.
func summary(t *tally) string {
	var parts []string
	for _, service := range t.scenario.Graph.Services {
		r := t.row(PhaseAll, ControllerTabular, service.Name, PhaseSinusoid, PhaseBurst, PhaseFault)
		parts = append(parts, fmt.Sprintf("%s: broken %.1f %%, carried %.1f %%", r.Service, 100*r.ViolatedRatio, 100*r.CarriedRatio))
	}
	return strings.Join(parts, "; ")
}

// liveTable is the total of part 3 so far.
func liveTable(tallies map[string]*tally) []string {
	var rows []Row
	for _, c := range Controllers {
		for _, service := range tallies[c].scenario.Graph.Services {
			rows = append(rows, tallies[c].row(PhaseAll, c, service.Name, PhaseSinusoid, PhaseBurst, PhaseFault))
		}
	}
	return strings.Split(strings.TrimRight(Table(rows), "\n"), "\n")
}

// End prints the table of part 3, and what to do next.
func (s *Screen) End(r *Result) {
	s.printf("\nPart 3 by phase. broken: share of the intervals above the service's bound, the budget is %.0f %%; carried and blocked: share\n"+
		"of the offered requests, of both services together in the last column; static: the best single setting for just this\n"+
		"load, found in hindsight.\n\n%s\n", 100*Budget, Table(r.Rows))
	s.printf("seed %d, %.0f s\n", r.Seed, r.WallSeconds)
}
