package promotion

import (
	"math"
	"slices"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

const (
	// BlockCycles are the cycles of a block.
	BlockCycles = 60
	// MaxBlocks bounds the evidence that is kept: the newest, two weeks of intervals of 5 s. Of a mesh
	// with many objectives fewer are, but for a day.
	MaxBlocks = 4096

	leastKept = 300
	mostKept  = 200_000 // objectives of blocks

	// burnIn residuals are seen of a model before it is asked for chances.
	burnIn = 50
	// samePlan is the largest difference of a setting that nobody would notice.
	samePlan = .005
)

// Pair is a policy and the one whose place it would take, each with the digest of all that makes
// it the policy that it is.
type Pair struct {
	Policy, Of       string
	Active, ActiveOf string
}

// Of is the pair of a record.
func Of(t journal.Trial) Pair {
	return Pair{Policy: t.Policy, Of: t.Of, Active: t.Active, ActiveOf: t.ActiveOf}
}

// Interval is what a cycle said of the policy on trial.
type Interval struct {
	Observation policy.Observation // of the active policy
	Steady      bool               // what was measured is of the settings in force
	Active      policy.Action      // what that policy would have in force, after the guard; nil: it did not decide

	Plan     policy.Action // of the policy on trial, after the guard; nil: it did not answer
	Aim      policy.Action // where it would go
	Beside   policy.Action // where the active policy would
	Seconds  float64       // that its answer took
	Slowest  float64       // seconds that the active policy would have
	Covered  bool          // its model has data for the plan
	Judged   []journal.Judged
	Said     []policy.Prediction      // of the plan, by itself
	Measured []journal.ObjectiveError // of the interval that ends here
}

// Evidence is what was gathered of a pair. That of a policy beside itself is of what it did as the
// active one. It is for one goroutine.
type Evidence struct {
	Pair

	blocks []journal.Trial // whole ones, oldest first
	open   journal.Trial
	models []residuals         // of the objectives that were judged
	last   policy.Action       // the last plan, if it was the active policy's as well
	said   []policy.Prediction // of that
}

// residuals are what is known of the two models' errors on one objective.
type residuals struct {
	service, signal string
	own, active     Ratios
	mean            float64 // of log(measured)
	n               int
}

// NewEvidence is none yet.
func NewEvidence(p Pair) *Evidence {
	e := &Evidence{Pair: p}
	e.begin()
	return e
}

func (e *Evidence) begin() {
	e.open = journal.Trial{Policy: e.Policy, Of: e.Of, Active: e.Active, ActiveOf: e.ActiveOf}
}

// Prepend takes up blocks of an earlier process; those of other pairs are left out.
func (e *Evidence) Prepend(blocks []journal.Trial) {
	newer := e.blocks
	e.blocks = nil
	for _, b := range blocks {
		if Of(b) == e.Pair && (len(newer) == 0 || b.To.Before(newer[0].From)) {
			e.keep(b)
		}
	}
	for _, b := range newer {
		e.keep(b)
	}
}

func (e *Evidence) keep(b journal.Trial) {
	most := max(leastKept, min(MaxBlocks, mostKept/max(1, len(b.Objectives))))
	if e.blocks = append(e.blocks, b); len(e.blocks) > most {
		e.blocks = slices.Delete(e.blocks, 0, len(e.blocks)-most)
	}
}

// Add takes up an interval. It returns the block that it completes; nil: it completes none.
func (e *Evidence) Add(in Interval) *journal.Trial {
	if e.open.Cycles == 0 {
		e.open.From = in.Observation.At
	}
	e.open.To = in.Observation.At
	e.open.Cycles++
	e.measure(&in)
	e.same(&in)
	e.compare(&in)
	e.last, e.said = nil, nil
	if in.Plan != nil && in.Active != nil && in.Plan.Equal(in.Active, policy.Rounding) {
		e.last, e.said = in.Plan, in.Said
	}
	if e.open.Cycles < BlockCycles {
		return nil
	}
	done := e.open
	e.keep(done)
	e.begin()
	return &done
}

// measure holds the models' predictions for the settings in force against what was measured.
func (e *Evidence) measure(in *Interval) {
	if !in.Steady {
		return
	}
	for _, j := range in.Judged {
		v, ok := in.Observation.State.Find(j.Service, j.Signal).Get()
		if !ok || !(v > 0) {
			continue
		}
		m, to := e.model(j.Service, j.Signal), e.objective(j.Service, j.Signal)
		own, active := logRatio(v, j.Live), logRatio(v, j.ActiveLive)
		if x := math.Log(v); !math.IsNaN(own) && m.n > 0 {
			to.Predicted++
			to.Bias += own
			to.Error += own * own
			to.MeanError += (x - m.mean) * (x - m.mean)
			if !math.IsNaN(active) {
				to.Both++
				to.BothError += own * own
				to.ActiveError += active * active
			}
		}
		m.n++
		m.mean += (math.Log(v) - m.mean) / float64(m.n)
		m.own.Add(own)
		m.active.Add(active)
	}
}

// same holds what the policy said of a plan that was in force after all against what came of it.
func (e *Evidence) same(in *Interval) {
	if !in.Steady || e.last == nil || !in.Observation.Live.Equal(e.last, policy.Rounding) {
		return
	}
	for _, m := range in.Measured {
		if !m.Known {
			continue
		}
		to := e.objective(m.Service, m.Signal)
		to.Same++
		to.SameViolated += m.Error
		i := slices.IndexFunc(e.said, func(p policy.Prediction) bool { return p.Service == m.Service && p.Signal == m.Signal })
		if i >= 0 && e.said[i].Supported && e.said[i].Risk > 0 {
			to.Said++
			to.SaidRisk += math.Min(1, e.said[i].Risk)
			to.SaidViolated += m.Error
		}
	}
}

// compare holds the two plans against each other.
func (e *Evidence) compare(in *Interval) {
	if in.Plan == nil {
		return
	}
	e.open.Answered++
	e.open.Seconds = math.Max(e.open.Seconds, in.Seconds)
	if in.Seconds > in.Slowest {
		e.open.Slow++
	}
	if in.Covered {
		e.open.Supported++
	}
	if in.Active == nil {
		return
	}
	e.open.Decided++
	if in.Plan.Equal(in.Active, samePlan) {
		e.open.Agreed++
	}
	chances, ok := e.chances(in)
	gained, known := gained(&in.Observation, in.Aim, in.Beside)
	if !ok || !known {
		return
	}
	e.open.Compared++
	e.open.Gained += gained
	for i, j := range in.Judged {
		to := e.objective(j.Service, j.Signal)
		to.Risk += chances[i][0]
		to.ActiveRisk += chances[i][1]
	}
}

// chances returns, by what was judged, the chances that its plan and that of the active policy
// break the objective; false: they are not all known.
func (e *Evidence) chances(in *Interval) ([][2]float64, bool) {
	var out [][2]float64
	for _, j := range in.Judged {
		bound := boundOf(&in.Observation, j.Service, j.Signal)
		m := e.model(j.Service, j.Signal)
		var weights, plan, active float64
		for _, by := range []struct {
			ratios       *Ratios
			plan, active float64
		}{{&m.own, j.Shadow, j.Active}, {&m.active, j.ActiveShadow, j.ActiveActive}} {
			if by.ratios.N() < burnIn || !(by.plan > 0) || !(by.active > 0) {
				continue
			}
			w := 1 / by.ratios.MeanSquare()
			weights += w
			plan += w * by.ratios.Above(bound/by.plan)
			active += w * by.ratios.Above(bound/by.active)
		}
		if !(bound > 0) || weights == 0 {
			return nil, false
		}
		out = append(out, [2]float64{plan / weights, active / weights})
	}
	return out, len(out) > 0
}

// gained is what a plan carries more than another one, less what it costs more, as a share of the
// value of the offered load; false: that is not known, or there is none.
func gained(o *policy.Observation, plan, other policy.Action) (float64, bool) {
	all, more := 0., 0.
	for i, k := range o.Knobs {
		d := plan[i].Value - other[i].Value
		switch k.Kind {
		case policy.Replicas:
			more -= k.Cost * d
		case policy.Blocking:
			s := slices.IndexFunc(o.Services, func(s policy.Service) bool { return s.Name == k.Service })
			if offered, ok := guard.Offered(*o, k.Service); s >= 0 && ok {
				more -= d * offered * o.Services[s].Value
			}
		case policy.Weight:
		}
	}
	for _, s := range o.Services {
		offered, ok := guard.Offered(*o, s.Name)
		if !ok {
			return 0, false
		}
		all += offered * s.Value
	}
	return more / all, all > 0
}

func boundOf(o *policy.Observation, service, signal string) float64 {
	for _, s := range o.Services {
		for _, obj := range s.Objectives {
			if s.Name == service && obj.Signal == signal {
				return obj.Bound
			}
		}
	}
	return 0
}

func (e *Evidence) model(service, signal string) *residuals {
	for i := range e.models {
		if m := &e.models[i]; m.service == service && m.signal == signal {
			return m
		}
	}
	e.models = append(e.models, residuals{service: service, signal: signal})
	return &e.models[len(e.models)-1]
}

func (e *Evidence) objective(service, signal string) *journal.TrialObjective {
	for i := range e.open.Objectives {
		if o := &e.open.Objectives[i]; o.Service == service && o.Signal == signal {
			return o
		}
	}
	e.open.Objectives = append(e.open.Objectives, journal.TrialObjective{Service: service, Signal: signal})
	return &e.open.Objectives[len(e.open.Objectives)-1]
}

// Total adds up all that there is, the block under way included.
func (e *Evidence) Total() journal.Trial {
	out := journal.Trial{Policy: e.Policy, Of: e.Of, Active: e.Active, ActiveOf: e.ActiveOf, From: e.open.From}
	if len(e.blocks) > 0 {
		out.From = e.blocks[0].From
	}
	for _, b := range append(slices.Clone(e.blocks), e.open) {
		add(&out, b)
	}
	return out
}

func add(to *journal.Trial, b journal.Trial) {
	if !b.To.IsZero() {
		to.To = b.To
	}
	to.Cycles += b.Cycles
	to.Answered += b.Answered
	to.Slow += b.Slow
	to.Seconds = math.Max(to.Seconds, b.Seconds)
	to.Decided += b.Decided
	to.Agreed += b.Agreed
	to.Compared += b.Compared
	to.Supported += b.Supported
	to.Gained += b.Gained
	for _, o := range b.Objectives {
		i := slices.IndexFunc(to.Objectives, func(x journal.TrialObjective) bool { return x.Service == o.Service && x.Signal == o.Signal })
		if i < 0 {
			to.Objectives = append(to.Objectives, o)
			continue
		}
		x := &to.Objectives[i]
		x.Risk += o.Risk
		x.ActiveRisk += o.ActiveRisk
		x.Predicted += o.Predicted
		x.Bias += o.Bias
		x.Error += o.Error
		x.MeanError += o.MeanError
		x.Both += o.Both
		x.BothError += o.BothError
		x.ActiveError += o.ActiveError
		x.Same += o.Same
		x.SameViolated += o.SameViolated
		x.Said += o.Said
		x.SaidRisk += o.SaidRisk
		x.SaidViolated += o.SaidViolated
	}
}
