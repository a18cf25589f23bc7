package promotion

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// The states of an item of the gate.
const (
	Pass    = "pass"
	Fail    = "fail"
	TooFew  = "not_enough_data"
	NotSaid = "not_required" // it has nothing to show, and the others do without
)

// The items of the gate. A shadow is judged by all but the last, a canary by Gap and the last.
const (
	Samples    = "samples"    // it was compared with the active policy for long enough
	Answers    = "answers"    // it answers, and in time
	Support    = "support"    // its model has data for what it plans
	Gap        = "gap"        // its model predicts what is measured
	Chosen     = "chosen"     // where its choice was in force, its objectives were broken as often as it said
	Violations = "violations" // its plans keep the error budgets, or break them less often than the active policy's
	Better     = "better"     // it is worth more, by what the file asks for
	Canary     = "canary"     // it has decided with smaller steps for long enough, within the error budgets
)

// Item is one thing that a policy has to show.
type Item struct {
	Code  string `json:"item"`
	State string `json:"state"`           // pass, fail, not_enough_data or not_required
	Why   string `json:"why"`             // with figures
	Needs string `json:"needs,omitempty"` // what is missing; empty: nothing, or waiting does not help
}

// Open reports whether the item lets the policy pass.
func (i Item) Open() bool { return i.State == Pass || i.State == NotSaid }

// Passed reports whether a gate is open.
func Passed(items []Item) bool {
	return !slices.ContainsFunc(items, func(i Item) bool { return !i.Open() })
}

// Asked is what a gate asks for.
type Asked struct {
	rules.Promotion
	Interval time.Duration
	Services []policy.Service
}

const (
	leastAnswers = .99 // share of the cycles, and of those in time
	leastCycles  = 200 // before anything but "not enough data" is said of shares
	leastChosen  = 200 // intervals in which its choice was in force
)

// Gate says of each thing that a shadow has to show whether it has.
func (e *Evidence) Gate(a Asked) []Item {
	t := e.Total()
	return []Item{a.samples(&t), a.answers(&t), a.support(&t), a.gap(&t), a.chosen(&t), e.violations(a), e.better(a)}
}

func (a Asked) cycles(d time.Duration) int { return int((d + a.Interval - 1) / a.Interval) }

// left is how long so many more cycles take, at the least.
func (a Asked) left(cycles int) string {
	return fmt.Sprintf("%d more cycles, %s at the least", cycles, (time.Duration(cycles) * a.Interval).Round(time.Second))
}

func (a Asked) samples(t *journal.Trial) Item {
	want := a.cycles(a.Minimum)
	i := Item{Code: Samples, State: Pass, Why: fmt.Sprintf("compared with %s in %d of %d cycles, of %d that it takes", named(t.Active), t.Compared, t.Cycles, want)}
	if t.Compared >= want {
		return i
	}
	i.State, i.Needs = TooFew, a.left(want-t.Compared)
	if t.Cycles >= leastCycles && t.Compared*10 < t.Cycles {
		i.Needs = "what both plans lead to is known too seldom: a model of either policy has to predict every objective of latency"
	}
	return i
}

func named(active string) string {
	if active == "" {
		return "the fallback"
	}
	return active
}

func (a Asked) answers(t *journal.Trial) Item {
	i := Item{Code: Answers, State: Pass, Why: fmt.Sprintf("%d usable answers in %d cycles, %d of them too slow to be used; the slowest took %.3g s", t.Answered, t.Cycles, t.Slow, t.Seconds)}
	switch {
	case t.Cycles < leastCycles:
		i.State, i.Needs = TooFew, a.left(leastCycles-t.Cycles)
	case float64(t.Answered-t.Slow) < leastAnswers*float64(t.Cycles):
		i.State = Fail
		i.Why += fmt.Sprintf("; want %.3g %% in time", 100*leastAnswers)
	}
	return i
}

func (a Asked) support(t *journal.Trial) Item {
	if predicted(t) == 0 && t.Compared > 0 {
		return Item{Code: Support, State: NotSaid, Why: "it predicts nothing, and is judged by the active policy's model"}
	}
	share := float64(t.Supported) / math.Max(1, float64(t.Answered))
	i := Item{Code: Support, State: Pass, Why: fmt.Sprintf("its model has data for %.3g %% of its plans, of %.3g %% that it takes", 100*share, 100*a.Support)}
	switch {
	case t.Answered < leastCycles:
		i.State, i.Needs = TooFew, a.left(leastCycles-t.Answered)
	case share < a.Support:
		i.State, i.Needs = Fail, "a model that was trained on the loads and settings of now"
	}
	return i
}

// predicted is in how many intervals the objective was that was predicted in the most of them.
func predicted(t *journal.Trial) int {
	n := 0
	for _, o := range t.Objectives {
		n = max(n, o.Predicted)
	}
	return n
}

// gap is about what the model, as it was trained, says of the settings in force: on average, and of
// single intervals beside the active policy's, with what was learned of that, and beside the mean of
// what was measured.
func (a Asked) gap(t *journal.Trial) Item {
	switch n := predicted(t); {
	case n == 0 && t.Compared > 0:
		return Item{Code: Gap, State: NotSaid, Why: "it predicts nothing, and is judged by the active policy's model"}
	case n < leastCycles:
		return Item{Code: Gap, State: TooFew, Why: fmt.Sprintf("predictions of the settings in force were held against measurements in %d intervals", n), Needs: a.left(leastCycles - n)}
	}
	out := Item{Code: Gap, State: Pass}
	largest, bad := -1., ""
	for _, o := range t.Objectives {
		if o.Predicted == 0 {
			continue
		}
		n := float64(o.Predicted)
		bias := math.Exp(o.Bias/n) - 1
		if off := math.Abs(bias); off > largest {
			largest = off
			out.Why = fmt.Sprintf("%s of %s is %+.2g %% off what its model predicts, of %.3g %% that it may; error %.2g %% of single intervals", o.Signal, o.Service, 100*bias, 100*a.MaximumGap, 100*math.Sqrt(o.Error/n))
		}
		switch both := math.Max(1, float64(o.Both)); {
		case math.Abs(bias) > a.MaximumGap:
			bad = out.Why
		case o.Both > 0 && (o.BothError-o.ActiveError)/both > a.MaximumGap*a.MaximumGap:
			bad = fmt.Sprintf("its model predicts %s of %s worse than that of %s: error %.2g %% against %.2g %%", o.Signal, o.Service, t.Active, 100*math.Sqrt(o.BothError/both), 100*math.Sqrt(o.ActiveError/both))
		case (o.Error-o.MeanError)/n > a.MaximumGap*a.MaximumGap:
			bad = fmt.Sprintf("its model predicts %s of %s worse than the mean of what was measured does: error %.2g %% against %.2g %%", o.Signal, o.Service, 100*math.Sqrt(o.Error/n), 100*math.Sqrt(o.MeanError/n))
		}
	}
	if bad != "" {
		out.State, out.Why, out.Needs = Fail, bad, "a model that was trained on the mesh of now"
	}
	return out
}

func (a Asked) chosen(t *journal.Trial) Item {
	i := Item{Code: Chosen, State: NotSaid, Why: fmt.Sprintf("what it chose was in force too seldom to tell whether objectives are broken as often as it says: fewer than %d intervals", leastChosen)}
	largest := -1.
	for _, o := range t.Objectives {
		if o.Said < leastChosen {
			continue
		}
		n := float64(o.Said)
		said, was := o.SaidRisk/n, o.SaidViolated/n
		if off := math.Abs(was - said); off > largest {
			largest = off
			i.State = Pass
			i.Why = fmt.Sprintf("in %d intervals with what it chose in force %s of %s was broken in %.3g %%, where it said %.3g %%", o.Said, o.Signal, o.Service, 100*was, 100*said)
		}
		if was-said > a.Tolerance+math.Max(a.Tolerance, said) {
			i.State = Fail
			return i
		}
	}
	return i
}

// compared are the blocks in which enough was.
func (e *Evidence) compared() []journal.Trial {
	var out []journal.Trial
	for _, b := range e.blocks {
		if b.Compared*4 >= BlockCycles {
			out = append(out, b)
		}
	}
	return out
}

// series is a figure of each block's objective; absent: 0.
func series(blocks []journal.Trial, service, signal string, of func(journal.Trial, journal.TrialObjective) float64) []float64 {
	out, at := make([]float64, len(blocks)), 0
	for k, b := range blocks {
		same := func(o journal.TrialObjective) bool { return o.Service == service && o.Signal == signal }
		if at >= len(b.Objectives) || !same(b.Objectives[at]) { // it is where it was in the block before, as a rule
			if at = slices.IndexFunc(b.Objectives, same); at < 0 {
				at = 0
				continue
			}
		}
		out[k] = of(b, b.Objectives[at])
	}
	return out
}

func risk(b journal.Trial, o journal.TrialObjective) float64 { return o.Risk / float64(b.Compared) }
func activeRisk(b journal.Trial, o journal.TrialObjective) float64 {
	return o.ActiveRisk / float64(b.Compared)
}

func (a Asked) bounds(values []float64) Bounds {
	return bounds(values, a.Confidence, a.cycles(a.Minimum)/BlockCycles)
}

// each calls f with the objectives that are judged by predictions.
func (a Asked) each(f func(service string, o policy.Objective)) {
	for _, s := range a.Services {
		for _, o := range s.Objectives {
			if o.Kind == policy.LatencyObjective {
				f(s.Name, o)
			}
		}
	}
}

func (e *Evidence) violations(a Asked) Item {
	blocks := e.compared()
	if len(blocks) == 0 {
		return Item{Code: Violations, State: TooFew, Why: "no block of cycles was compared yet", Needs: a.left(BlockCycles)}
	}
	out := Item{Code: Violations, State: Pass}
	rank := map[string]int{Pass: 0, TooFew: 1, Fail: 2}
	worst := math.Inf(-1)
	a.each(func(service string, o policy.Objective) {
		own := a.bounds(series(blocks, service, o.Signal, risk))
		less := a.bounds(series(blocks, service, o.Signal, func(b journal.Trial, x journal.TrialObjective) float64 { return risk(b, x) - activeRisk(b, x) }))
		may, state := o.Budget+a.Tolerance, TooFew
		switch {
		case own.High <= may || less.High <= 0:
			state = Pass
		case own.Low > may && less.Low > 0:
			state = Fail
		}
		if rank[state] < rank[out.State] || rank[state] == rank[out.State] && own.Mean-may < worst {
			return
		}
		worst, out.State = own.Mean-may, state
		out.Why = fmt.Sprintf("%s of %s would be broken in %.3g %% of the intervals (%s), with %s in %.3g %%; the error budget is %.3g %%, and %.3g points more are tolerated",
			o.Signal, service, 100*own.Mean, within(own), named(e.Active), 100*(own.Mean-less.Mean), 100*o.Budget, 100*a.Tolerance)
	})
	if out.State == TooFew {
		out.Needs = "more independent blocks, until the bounds are on one side"
	}
	return out
}

func within(b Bounds) string {
	if math.IsInf(b.Low, -1) {
		return fmt.Sprintf("from %.2g independent blocks, of %d that bounds take", b.Effective, leastBlocks)
	}
	return fmt.Sprintf("within %.3g and %.3g %%, from %.3g independent blocks", 100*b.Low, 100*b.High, b.Effective)
}

// better is about the value of what is carried, and of what error budgets are exceeded by less: a
// point of the former is as good as a point of the latter, averaged over the objectives. Within a
// budget, fewer violations are worth nothing.
func (e *Evidence) better(a Asked) Item {
	blocks := e.compared()
	worth := make([]float64, len(blocks))
	for k, b := range blocks {
		worth[k] = b.Gained / float64(b.Compared)
	}
	n := 0.
	a.each(func(string, policy.Objective) { n++ })
	a.each(func(service string, o policy.Objective) {
		for _, x := range []struct {
			sign float64
			of   func(journal.Trial, journal.TrialObjective) float64
		}{{-1, risk}, {1, activeRisk}} {
			values := series(blocks, service, o.Signal, x.of)
			if a.bounds(values).Mean <= o.Budget {
				continue
			}
			for k, v := range values {
				worth[k] += x.sign * (v - o.Budget) / n
			}
		}
	})
	b := a.bounds(worth)
	if len(worth) == 0 {
		return Item{Code: Better, State: TooFew, Why: "no block of cycles was compared yet", Needs: a.left(BlockCycles)}
	}
	carried := 0.
	for _, b := range blocks {
		carried += 100 * b.Gained / float64(b.Compared) / float64(len(blocks))
	}
	out := Item{Code: Better, Why: fmt.Sprintf("it is worth %+.3g %% of the offered load more than %s (%s), of %.3g %% that it takes: %+.3g %% in what it carries, the rest in error budgets",
		100*b.Mean, named(e.Active), within(b), 100*a.BetterBy, carried)}
	switch {
	case b.Low >= a.BetterBy && b.Low > 0:
		out.State = Pass
	case b.High < a.BetterBy:
		out.State = Fail
	default:
		out.State, out.Needs = TooFew, "more independent blocks, until the bounds are on one side"
	}
	return out
}
