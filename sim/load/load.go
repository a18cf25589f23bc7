// Package load describes offered load: how many requests per second arrive at a
// service as a function of time.
//
// The processes are pure: seconds since the start go in, a rate comes out. They
// draw nothing at random and know no clock; who turns rates into arrivals (the
// emulator, by thinning) brings its own numbers.
package load

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Process is an offered load.
type Process interface {
	// Rate returns the requests per second offered t seconds after the start,
	// between 0 and Max. It is defined for every t >= 0.
	Rate(t float64) float64
	// Max returns an upper bound of Rate over all times, the envelope for thinning.
	Max() float64
}

// Constant offers the same rate at all times, in requests/s.
type Constant float64

// NewConstant returns a constant load; it is an error if the rate is negative or not finite.
func NewConstant(rate float64) (Constant, error) {
	return Constant(rate), checkRate("constant load", rate)
}

// Rate implements Process.
func (c Constant) Rate(float64) float64 { return float64(c) }

// Max implements Process.
func (c Constant) Max() float64 { return float64(c) }

// Sine offers Mean + Amplitude sin(2 pi t/PeriodSeconds + Phase).
type Sine struct {
	Mean, Amplitude float64 // requests/s; the amplitude is at most the mean
	PeriodSeconds   float64
	Phase           float64 // radians
}

// NewSine checks and returns a sinusoidal load.
func NewSine(s Sine) (Sine, error) {
	if err := errors.Join(checkRate("sine load: mean", s.Mean), checkRate("sine load: amplitude", s.Amplitude)); err != nil {
		return s, err
	}
	switch {
	case s.Amplitude > s.Mean:
		return s, fmt.Errorf("sine load: amplitude %v is above the mean %v, which would make the rate negative", s.Amplitude, s.Mean)
	case !finite(s.PeriodSeconds) || s.PeriodSeconds <= 0:
		return s, fmt.Errorf("sine load: period of %v seconds; want a positive number", s.PeriodSeconds)
	case !finite(s.Phase):
		return s, fmt.Errorf("sine load: phase %v is not finite", s.Phase)
	}
	return s, nil
}

// Rate implements Process.
func (s Sine) Rate(t float64) float64 {
	// The clamp is for rounding only: NewSine refuses an amplitude above the mean.
	return max(0, s.Mean+s.Amplitude*math.Sin(2*math.Pi*t/s.PeriodSeconds+s.Phase))
}

// Max implements Process.
func (s Sine) Max() float64 { return s.Mean + s.Amplitude }

// Steps is a staircase: Rates[i] from At[i] seconds until At[i+1], the last one for ever.
type Steps struct {
	at, rates []float64
	max       float64
}

// NewSteps returns a staircase. at starts with 0 and increases strictly; rates has as many elements.
func NewSteps(at, rates []float64) (*Steps, error) {
	if err := checkTimes("steps load", at, len(rates)); err != nil {
		return nil, err
	}
	if err := checkRates("steps load", rates); err != nil {
		return nil, err
	}
	return &Steps{at: slices.Clone(at), rates: slices.Clone(rates), max: slices.Max(rates)}, nil
}

// Rate implements Process.
func (s *Steps) Rate(t float64) float64 { return s.rates[indexAt(s.at, t)] }

// Max implements Process.
func (s *Steps) Max() float64 { return s.max }

// Replay follows recorded rates that are evenly spaced in time, linearly
// interpolated; after the last it stays there.
type Replay struct {
	spacing float64
	samples []float64
	max     float64
}

// NewReplay returns a replay of samples (requests/s), spacingSeconds apart, the first at time 0.
func NewReplay(spacingSeconds float64, samples []float64) (*Replay, error) {
	if !finite(spacingSeconds) || spacingSeconds <= 0 {
		return nil, fmt.Errorf("replay load: samples %v seconds apart; want a positive number", spacingSeconds)
	}
	if len(samples) == 0 {
		return nil, errors.New("replay load: no samples; want at least one")
	}
	if err := checkRates("replay load", samples); err != nil {
		return nil, err
	}
	return &Replay{spacing: spacingSeconds, samples: slices.Clone(samples), max: slices.Max(samples)}, nil
}

// Rate implements Process.
func (r *Replay) Rate(t float64) float64 {
	x := max(0, t/r.spacing)
	// Compared as floats first: a conversion of a huge float to int is not defined.
	if x >= float64(len(r.samples)-1) {
		return r.samples[len(r.samples)-1]
	}
	i := int(x)
	f := x - float64(i)
	return r.samples[i]*(1-f) + r.samples[i+1]*f
}

// Max implements Process.
func (r *Replay) Max() float64 { return r.max }
