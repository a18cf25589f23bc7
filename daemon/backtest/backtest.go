package backtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// Options say what is judged, and on what.
type Options struct {
	Rules *rules.Mesh
	// Walk gives the intervals of the history, from From to To, from the oldest to the newest.
	Walk     func(ctx context.Context, each func(lifecycle.Interval) error) (*lifecycle.Report, error)
	From, To time.Time
	Learn    float64 // share of that time, its beginning, that is learned from and not judged
	Policy   Policy
	Seed     uint64
	Worlds   int // imagined meshes that tell how sure it is; 0: ten
}

// trees of the worlds' models are few and small: history is noisy, and whole ones learn its noise.
var trees = model.TreeParams{Trees: 300, Leaves: 8, Rate: .06, MinLeafRows: 30}

// Policy is the one that is judged.
type Policy struct {
	Name string
	// Trains says that it is configured with what it has learned from a part of the history.
	Trains bool
	// Configure returns instances that know nothing of each other. Learned is nil unless it
	// trains.
	Configure func(ctx context.Context, learned *dataset.Dataset, instances int) ([]Configured, error)
}

// Configured is a policy that is ready to decide. It is for one goroutine.
type Configured struct {
	Active   *loop.Decider
	Fallback loop.Decider
	Initial  func(service, signal string) margin.Calibration
}

const (
	defaultWorlds = 10
	// mostImagined cycles of the judged time are had in each of the further worlds. Where there
	// are more, these live through hours evenly spread over it.
	mostImagined = 20000
	chunk        = 720 // intervals are gone through at a time
	leastRows    = 200 // of the history are learned from, or nothing is
)

// run is a backtest under way.
type run struct {
	Options
	knobs    []policy.Knob
	services []policy.Service
	judged   time.Time // from then on
	halfway  time.Time // until then the policy learns, from then on the world

	own, world *learned // of the policy, and of the worlds
	chunk      []lifecycle.Interval
	chunks     int
	every      int // chunk that the further worlds live through
	last       policy.Action
	main       *life
	others     []*life
	quality    dataset.Quality
	fit        []Fit
	answered   answered
	timeline   *timeline
}

// Run goes through the history.
func Run(ctx context.Context, o Options) (*Report, error) {
	r, err := begin(o)
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	found, err := o.Walk(ctx, func(iv lifecycle.Interval) error { return r.take(ctx, iv) })
	if err == nil {
		err = r.pass(ctx)
	}
	if err == nil && r.main == nil {
		err = r.nothing(found)
	}
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	return r.report(found), nil
}

func begin(o Options) (*run, error) {
	switch {
	case o.Rules == nil || o.Walk == nil || o.Policy.Configure == nil:
		return nil, errors.New("an option is missing")
	case !(o.Learn > 0 && o.Learn < 1):
		return nil, fmt.Errorf("a share of %v of the history is to be learned from; want more than 0 and less than 1", o.Learn)
	case !o.From.Before(o.To):
		return nil, fmt.Errorf("the history is to begin at %s and to end at %s; want an earlier beginning", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	}
	if o.Worlds == 0 {
		o.Worlds = defaultWorlds
	}
	r := &run{Options: o, knobs: o.Rules.Knobs(), services: o.Rules.PolicyServices(), own: newLearned(o.Rules), world: newLearned(o.Rules)}
	span := o.To.Sub(o.From)
	r.judged = o.From.Add(time.Duration(o.Learn * float64(span)))
	r.halfway = o.From
	if o.Policy.Trains {
		r.halfway = o.From.Add(time.Duration(o.Learn * float64(span) / 2))
	}
	cycles := int(o.To.Sub(r.judged) / o.Rules.Interval)
	r.every = 1 + cycles/mostImagined
	r.timeline = newTimeline(r.judged, o.To, r.services)
	return r, nil
}

// take takes the next interval of the history.
func (r *run) take(ctx context.Context, iv lifecycle.Interval) error {
	switch {
	case !iv.At.After(r.halfway):
		if err := r.world.add(iv); err != nil {
			return err
		}
		return r.own.add(iv)
	case !iv.At.After(r.judged):
		return r.world.add(iv)
	}
	if iv.Settings != nil && r.last == nil {
		r.last = iv.Settings
	}
	if r.last == nil {
		return nil // nobody knows what was in force: it begins with the first that is known
	}
	if r.chunk = append(r.chunk, iv); len(r.chunk) < chunk {
		return nil
	}
	return r.pass(ctx)
}

// pass goes through the intervals that were taken.
func (r *run) pass(ctx context.Context) error {
	if len(r.chunk) == 0 {
		return nil
	}
	if r.main == nil {
		if err := r.imagine(ctx); err != nil {
			return err
		}
	}
	lives := []*life{r.main}
	if r.chunks%r.every == 0 {
		lives = append(lives, r.others...)
	}
	r.chunks++
	var all errgroup.Group
	for _, l := range lives {
		all.Go(func() error {
			for i := range r.chunk {
				if err := ctx.Err(); err != nil {
					return err
				}
				l.step(ctx, &r.chunk[i])
			}
			return nil
		})
	}
	err := all.Wait()
	r.chunk = r.chunk[:0]
	return err
}

// imagine makes the worlds of what was learned, and the policies that live in them.
func (r *run) imagine(ctx context.Context) error {
	if n := r.world.data.Rows(); n < leastRows {
		return fmt.Errorf("only %d intervals before %s can be learned from, where %d are needed: the settings that were in force have to be known, "+
			"and something measured of them; `windvane collect` says why others are left out", n, r.judged.UTC().Format(time.RFC3339), leastRows)
	}
	var learned *dataset.Dataset
	if r.Policy.Trains {
		if learned = r.own.data; learned.Rows() < leastRows {
			return fmt.Errorf("only %d intervals before %s are there for the policy to learn from, where %d are needed; name an artefact, or a longer history",
				learned.Rows(), r.halfway.UTC().Format(time.RFC3339), leastRows)
		}
	}
	policies, err := r.Policy.Configure(ctx, learned, 1+r.Worlds)
	if err != nil {
		return err
	}
	spread, full, err := r.learn()
	if err != nil {
		return err
	}
	for i := range 1 + r.Worlds {
		rng := rand.New(rand.NewPCG(r.Seed, uint64(i))) //nolint:gosec // a number of a world
		system := full
		if i > 0 {
			if system, err = r.fitted(r.world.half(rng)); err != nil {
				return err
			}
		}
		n := len(r.services)
		m := &mesh{
			services: r.services, knobs: r.knobs, model: system, predict: system.Predictor(), size: spread.size.Predictor(), untold: r.untold(), answered: r.answered, spread: spread, interval: r.Rules.Interval,
			drawn: drawn{from: spread, rng: rng}, recorded: i == 0,
			offered: make([]float64, n), latency: make([]float64, n), carried: make([]float64, n), was: make([]float64, n), unit: make([]float64, n),
		}
		if n := len(spread.lasting); i > 0 && n > 0 {
			m.lasting = spread.lasting[rng.IntN(n)]
		}
		l, err := newLife(r.Rules, m, policies[i], r.last)
		if err != nil {
			return err
		}
		if i == 0 {
			l.account.timeline = r.timeline
			r.main = l
		} else {
			r.others = append(r.others, l)
		}
	}
	return nil
}

// folds of the world's part, each a stretch of time, are predicted by a model of the others.
const folds = 3

// learn fits the world's model, and says how wrong one is on intervals that it has not seen.
func (r *run) learn() (*spread, *model.System, error) {
	d := r.world.data
	r.quality = d.Quality(0)
	predicted := make([][]float64, d.Rows())
	for f := range folds {
		from, to := f*d.Rows()/folds, (f+1)*d.Rows()/folds
		m, err := r.fitted(d.Select(func(row int) bool { return row < from || row >= to }))
		if err != nil {
			return nil, nil, err
		}
		predict(predicted[from:to], m, d, from)
	}
	r.fit = judge(predicted, d)
	full, err := r.fitted(d)
	if err != nil {
		return nil, nil, err
	}
	r.answered = newAnswered(d, r.knobs)
	s, err := newSpread(d, predicted, r.fitted)
	return s, full, err
}

// predict writes what a model says of rows, the first of which is from, by row and service.
func predict(out [][]float64, m *model.System, d *dataset.Dataset, from int) {
	p := m.Predictor()
	settings, offered := make([]float64, len(d.Knobs)), make([]float64, len(d.Services))
	for i := range out {
		at(settings, d.Settings, from+i)
		at(offered, d.Offered, from+i)
		out[i] = make([]float64, len(d.Services))
		p.Latency(out[i], settings, offered)
	}
}

// fitted is a model of rows. A knob that they never moved has no effect in it; what history
// cannot tell of it is not asked either.
func (r *run) fitted(d *dataset.Dataset) (*model.System, error) {
	knobs := slices.Clone(r.knobs)
	for k := range knobs {
		if low, high := slices.Min(d.Settings[k]), slices.Max(d.Settings[k]); low == high {
			knobs[k].Min, knobs[k].Max = low, high
		}
	}
	return model.FitMean(d, knobs, trees)
}

// untold says of which knobs history does not tell the effect.
func (r *run) untold() []bool {
	out := make([]bool, len(r.knobs))
	mark := func(name string) {
		for k, knob := range r.knobs {
			out[k] = out[k] || knob.String() == name
		}
	}
	for _, name := range r.quality.Unmoved {
		mark(name)
	}
	for _, e := range r.quality.Effects {
		if e.Verdict == dataset.NotIdentifiable {
			mark(e.Knob)
		}
	}
	for k := 1; k < len(out); k++ { // the last weight of a target follows from the others
		if r.knobs[k].Kind == policy.Weight && r.knobs[k-1].Kind == policy.Weight && r.knobs[k].Target == r.knobs[k-1].Target {
			out[k] = out[k] || out[k-1]
		}
	}
	return out
}

// nothing says why nothing could be judged.
func (r *run) nothing(found *lifecycle.Report) error {
	if found.Intervals == 0 {
		return fmt.Errorf("there is no interval of mesh %s from %s to %s", r.Rules.Name, r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	}
	var why []string
	for _, l := range found.LeftOut {
		why = append(why, fmt.Sprintf("%d: %s", l.Intervals, l.Text))
	}
	return fmt.Errorf("of none of %d intervals it is known what was in force (%s); a journal knows (--state-directory), or windvane's metrics in Prometheus do", found.Intervals, strings.Join(why, "; "))
}

// Fit says how good the world's model is on intervals that it was not fitted on.
type Fit struct {
	Service string  `json:"service"`
	Rows    int     `json:"rows"`
	R2      float64 `json:"r2"` // of the latency's logarithm
}

// judge holds what was predicted against what was measured.
func judge(predicted [][]float64, d *dataset.Dataset) []Fit {
	var out []Fit
	for s, name := range d.Services {
		var y, yy, ee sum
		for row, said := range predicted {
			v, e := math.Log(d.Latency[s][row]), math.Log(d.Latency[s][row]/said[s])
			if !math.IsInf(e, 0) {
				y.add(v)
				yy.add(v * v)
				ee.add(e * e)
			}
		}
		out = append(out, Fit{Service: name, Rows: int(y.n), R2: 1 - ee.mean()/(yy.mean()-y.mean()*y.mean())})
	}
	return out
}
