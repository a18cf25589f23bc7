package demo

import (
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/load"
)

// process is a load; an alias keeps the signatures short.
type process = load.Process

// scale is how many requests a second of each service stand for one of the paper's,
// whose sinusoid is 12.5 + 7.5 sin.
var scale = map[string]float64{compute: 1.1, information: 2.2}

// drawLoads draws the load of each service over all phases.
func drawLoads(seed uint64, phases []Phase) (map[string]process, error) {
	rng := rand.New(rand.NewPCG(seed, 0x6c6f6164))
	from := make([]float64, len(phases))
	parts := map[string][]process{}
	for i, p := range phases {
		from[i] = p.From.Seconds()
		bursts := drawBursts(rng, p)
		for name, sine := range drawSines(rng, p.Name) {
			base, err := load.NewSine(sine)
			if err != nil {
				return nil, err
			}
			burst, err := load.NewBurst(base, bursts...)
			if err != nil {
				return nil, err
			}
			parts[name] = append(parts[name], burst)
		}
	}
	out := map[string]process{}
	for name := range parts {
		sequence, err := load.NewSequence(from, parts[name]...)
		if err != nil {
			return nil, err
		}
		out[name] = sequence
	}
	return out, nil
}

// drawSines draws a phase's sinusoids. The exploration's are wider and faster than
// those that follow, so that it sees all loads, and both services' in many
// combinations; no period of part 3 is one of its own. The others' are of nearly
// the same period and nearly in step, as the load of two services of one shop is,
// so that every seed has its peaks.
func drawSines(rng *rand.Rand, phase string) map[string]load.Sine {
	mean, amplitude, shortest, longest := 12.5, 7.5, 45., 70.
	switch phase {
	case PhaseExplore:
		mean, amplitude, shortest, longest = 13, 9, 23, 29
	case PhaseBurst:
		mean, amplitude = 11, 4
	}
	period := (shortest + (longest-shortest)*rng.Float64()) * Interval.Seconds()
	angle := 2 * math.Pi * rng.Float64()
	apart, stretch := 2*rng.Float64()-1, .9+.2*rng.Float64()
	if phase == PhaseExplore {
		stretch = 1.5 + .2*rng.Float64()
	}
	sine := func(name string, period, phase float64) load.Sine {
		return load.Sine{Mean: mean * scale[name], Amplitude: amplitude * scale[name], PeriodSeconds: period, Phase: phase}
	}
	return map[string]load.Sine{
		compute:     sine(compute, period*stretch, angle+apart),
		information: sine(information, period, angle),
	}
}

// drawBursts draws the windows in which both services' load jumps, in the time of the phase.
func drawBursts(rng *rand.Rand, p Phase) []load.Window {
	if p.Name != PhaseBurst {
		return nil
	}
	var out []load.Window
	end := (p.To() - p.From).Seconds() - 60
	for at := 40 + 60*rng.Float64(); at < end; {
		w := load.Window{From: at, To: at + 25 + 30*rng.Float64(), Factor: 1.3 + .3*rng.Float64()}
		out = append(out, w)
		at = w.To + 60 + 80*rng.Float64()
	}
	return out
}

// quiet is a load of which nothing comes before a moment, and afterwards the same
// requests as without it: their numbers count the envelope's candidates.
type quiet struct {
	process
	until float64
}

func (q quiet) Rate(t float64) float64 {
	if t < q.until {
		return 0
	}
	return q.process.Rate(t)
}
