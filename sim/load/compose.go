package load

import (
	"errors"
	"fmt"
	"slices"
)

// Window multiplies a load by Factor from From until To (seconds, To excluded).
type Window struct {
	From, To, Factor float64
}

// Burst is a load with windows of more or less of it; windows that overlap multiply.
type Burst struct {
	base    Process
	windows []Window
	max     float64
}

// NewBurst puts windows onto a load.
func NewBurst(base Process, windows ...Window) (*Burst, error) {
	if err := checkProcess("burst load: base", base); err != nil {
		return nil, err
	}
	b := &Burst{base: base, windows: slices.Clone(windows)}
	factor := 1.0
	for i, w := range windows {
		if !finite(w.From) || !finite(w.To) || w.From < 0 || w.To <= w.From {
			return nil, fmt.Errorf("burst load: window %d is from %v to %v seconds; want 0 <= from < to", i, w.From, w.To)
		}
		if err := checkRate(fmt.Sprintf("burst load: factor of window %d", i), w.Factor); err != nil {
			return nil, err
		}
		// The product changes only where a window starts or ends.
		factor = max(factor, b.factor(w.From), b.factor(w.To))
	}
	b.max = base.Max() * factor
	return b, checkRate("burst load: greatest rate", b.max)
}

// Rate implements Process.
func (b *Burst) Rate(t float64) float64 { return b.base.Rate(t) * b.factor(t) }

// Max implements Process.
func (b *Burst) Max() float64 { return b.max }

func (b *Burst) factor(t float64) float64 {
	f := 1.0
	for _, w := range b.windows {
		if t >= w.From && t < w.To {
			f *= w.Factor
		}
	}
	return f
}

// Sequence is one load after another. Each part has its own clock, which starts at 0 with the part.
type Sequence struct {
	from  []float64
	parts []Process
	max   float64
}

// NewSequence switches to parts[i] at from[i] seconds. from starts with 0 and increases strictly.
func NewSequence(from []float64, parts ...Process) (*Sequence, error) {
	if err := checkTimes("sequence load", from, len(parts)); err != nil {
		return nil, err
	}
	s := &Sequence{from: slices.Clone(from), parts: slices.Clone(parts)}
	for i, p := range parts {
		if err := checkProcess(fmt.Sprintf("sequence load: part %d", i), p); err != nil {
			return nil, err
		}
		s.max = max(s.max, p.Max())
	}
	return s, nil
}

// Rate implements Process.
func (s *Sequence) Rate(t float64) float64 {
	i := indexAt(s.from, t)
	return s.parts[i].Rate(max(0, t-s.from[i]))
}

// Max implements Process.
func (s *Sequence) Max() float64 { return s.max }

// Shift is a load that is ahead of another: its rate at t is the other's at t + seconds.
type Shift struct {
	base    Process
	seconds float64
}

// NewShift starts base at seconds >= 0 of its own time.
func NewShift(base Process, seconds float64) (*Shift, error) {
	if !finite(seconds) || seconds < 0 {
		return nil, fmt.Errorf("shift load: %v seconds; want a number of 0 or more", seconds)
	}
	return &Shift{base: base, seconds: seconds}, checkProcess("shift load: base", base)
}

// Rate implements Process.
func (s *Shift) Rate(t float64) float64 { return s.base.Rate(t + s.seconds) }

// Max implements Process.
func (s *Shift) Max() float64 { return s.base.Max() }

func checkProcess(what string, p Process) error {
	if p == nil {
		return errors.New(what + " is missing")
	}
	return checkRate(what+": greatest rate", p.Max())
}
