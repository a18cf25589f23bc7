package env

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/model"
)

// Config is what an environment is made of.
type Config struct {
	Backend Backend // what loads and settings are worth
	Loads   Loads   // how the offered loads evolve
	Lanes   int     // at least 1

	// FirstLane is the number of the first lane, so that environments can share the lanes
	// of one: what a lane sees depends on its number, and not on which of them it is in.
	FirstLane int

	Horizon   int  // intervals after which an episode is truncated; 0: never
	Delay     int  // intervals until an action is in force; 0: it is at once
	StepLimit int  // levels that an axis moves in an interval; 0: any number
	FreeRaise bool // raising blocking is not limited by StepLimit, as the guard has it

	// Initial are the settings that an episode starts with, a category for each axis;
	// nil: drawn uniformly. They only matter where the problem is sequential.
	Initial []int32
}

// Sequential reports whether an action matters beyond its own interval.
func (c Config) Sequential() bool { return c.Delay > 0 || c.StepLimit > 0 }

// Env is a vector of simulated meshes. It is for one goroutine.
type Env struct {
	config   Config
	space    *Space
	rewarder Rewarder
	limiter  *Limiter
	shown    features
	ranges   []model.Span
	points   []float32 // [point][service], as observed; nil: a continuum
	sizes    []uint32  // by axis
	size     int       // of one observation
	services int
	stages   int // settings in the pipeline of a lane

	batch    Batch
	lanes    []Lane
	rng      []rand.PCG
	age      []int32 // intervals of the episode that have passed
	pipeline []int32 // [lane][stage][axis]: a ring of stages
	head     int     // the stage that was commanded first, the same in all lanes
	live     []int32 // [lane][axis], where it is not the actions themselves
	final    []float32
	ready    bool
}

// New makes an environment; Reset starts it.
func New(c Config) (*Env, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	space, ranges, points := c.Backend.Space(), c.Backend.Offered(), c.Loads.Points()
	rewarder, err := c.Backend.Prepare(points)
	if err != nil {
		return nil, err
	}
	e := &Env{
		config: c, space: space, rewarder: rewarder, limiter: NewLimiter(space, c.StepLimit, c.FreeRaise),
		shown: newFeatures(space), ranges: ranges, services: len(ranges), stages: c.Delay,
	}
	if c.StepLimit > 0 {
		e.stages = max(e.stages, 1)
	}
	for _, n := range space.sizes {
		e.sizes = append(e.sizes, uint32(n))
	}
	e.size = e.services + e.stages*e.shown.total
	e.batch.Lanes = c.Lanes
	if points != nil {
		for _, p := range points {
			for s, v := range p {
				e.points = append(e.points, e.load(s, v))
			}
		}
		e.batch.Point = make([]int32, c.Lanes)
	} else {
		e.batch.Offered = make([]float64, c.Lanes*e.services)
	}
	e.lanes, e.rng, e.age = make([]Lane, c.Lanes), make([]rand.PCG, c.Lanes), make([]int32, c.Lanes)
	e.pipeline = make([]int32, c.Lanes*e.stages*len(space.sizes))
	e.live = make([]int32, c.Lanes*len(space.sizes))
	e.final = make([]float32, c.Lanes*e.size)
	return e, nil
}

func (c Config) check() error {
	switch {
	case c.Backend == nil:
		return errors.New("env: no back end")
	case c.Loads == nil:
		return errors.New("env: no loads")
	case c.Lanes < 1:
		return fmt.Errorf("env: %d lanes, want at least 1", c.Lanes)
	case c.FirstLane < 0:
		return fmt.Errorf("env: first lane %d, want 0 or more", c.FirstLane)
	case c.Horizon < 0 || c.Delay < 0 || c.StepLimit < 0:
		return fmt.Errorf("env: horizon %d, delay %d and step limit %d; want 0 or more", c.Horizon, c.Delay, c.StepLimit)
	}
	if err := c.Loads.Check(len(c.Backend.Offered())); err != nil {
		return err
	}
	if c.Initial == nil {
		return nil
	}
	if err := c.Backend.Space().Check(c.Initial); err != nil {
		return fmt.Errorf("env: initial settings: %w", err)
	}
	return nil
}

// NumLanes returns the number of lanes.
func (e *Env) NumLanes() int { return e.config.Lanes }

// ObservationSize returns the length of one lane's observation.
func (e *Env) ObservationSize() int { return e.size }

// Axes returns the number of categories of each axis. The caller owns the slice.
func (e *Env) Axes() []int { return e.space.Axes() }

// Space returns the space of actions.
func (e *Env) Space() *Space { return e.space }

// Offered returns, by service, the range of offered loads (requests/s) that an
// observation shows as 0 to 1. It is only to be read.
func (e *Env) Offered() []model.Span { return e.ranges }

// Reset starts an episode in every lane, and writes the observations
// ([lane][feature]). The same seed gives the same episodes.
func (e *Env) Reset(seed uint64, obs []float32) error {
	if len(obs) != e.config.Lanes*e.size {
		return fmt.Errorf("env: reset: %d observations, want %d lanes x %d", len(obs), e.config.Lanes, e.size)
	}
	e.head = 0
	for lane := range e.config.Lanes {
		// Streams of neighbouring seeds and lanes must not resemble each other.
		e.rng[lane].Seed(mix(seed), mix(seed^mix(uint64(e.config.FirstLane+lane))))
		e.begin(lane)
		e.observe(lane, obs[lane*e.size:][:e.size])
	}
	e.ready = true
	return nil
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// draw returns a number in [0, n), n > 0, with a bias below n / 2^32.
func draw(rng *rand.PCG, n uint32) int32 {
	return int32(rng.Uint64() >> 32 * uint64(n) >> 32)
}

// load is an offered load as it is observed.
func (e *Env) load(service int, v float64) float32 {
	r := e.ranges[service]
	return within((v - r.Min) / (r.Max - r.Min))
}
