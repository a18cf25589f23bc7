package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Report is what a backtest found. Shares are of 0 to 1, loads in requests/s.
type Report struct {
	Mesh            string    `json:"mesh"`
	Policy          string    `json:"policy"`
	IntervalSeconds float64   `json:"interval_seconds"`
	From            time.Time `json:"from"`   // of the history
	Judged          time.Time `json:"judged"` // from then on it is judged; before, it is learned from
	To              time.Time `json:"to"`
	Worlds          int       `json:"worlds"` // that tell how sure it is
	Seed            uint64    `json:"seed"`

	Learned    Learned           `json:"learned"`
	Coverage   Coverage          `json:"coverage"`
	Objectives []Objective       `json:"objectives"`
	Services   []Service         `json:"services"`
	Decided    Decided           `json:"decided"`
	Knobs      []Knob            `json:"knobs"`
	Untold     []string          `json:"not_identifiable"` // what history cannot tell, in sentences
	Acted      []Acted           `json:"acted"`            // the first ones
	Timeline   []Stretch         `json:"timeline"`
	History    *lifecycle.Report `json:"history"`
}

// Learned says what the models were fitted on, and how good the world's is.
type Learned struct {
	PolicyRows int   `json:"policy_rows"` // 0: it was not trained on this history
	WorldRows  int   `json:"world_rows"`
	Fit        []Fit `json:"fit"`
}

// Coverage counts the judged intervals by how it is known what the mesh would have answered.
type Coverage struct {
	Intervals int     `json:"intervals"`
	Ratio     float64 `json:"ratio"` // measured or modelled: all figures are of these
	Measured  int     `json:"measured"`
	Modelled  int     `json:"modelled"`
	Beyond    int     `json:"beyond_model"`
	Blind     int     `json:"not_fresh"`
}

// Figure is a prediction, and the range that nine of ten such predictions are meant to keep.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Objective is what would have become of one.
type Objective struct {
	Service  string   `json:"service"`
	Signal   string   `json:"signal"`
	Budget   float64  `json:"error_budget"`
	Violated *Figure  `json:"violated_ratio"`          // nil: history does not tell
	Measured *float64 `json:"violated_ratio_measured"` // as it was, in the same intervals
}

// Service is what would have become of one.
type Service struct {
	Service  string   `json:"service"`
	Offered  *float64 `json:"offered"`
	Carried  *Figure  `json:"carried"` // nil: history does not tell
	Measured *float64 `json:"carried_measured"`
}

// Decided counts what the cycles did.
type Decided struct {
	Acts       int            `json:"acts"`
	Flaps      int            `json:"flaps"` // changes that took back one of at most FlapIntervals before
	Infeasible int            `json:"infeasible"`
	Fallback   int            `json:"fallback"`
	Holds      map[string]int `json:"holds"` // by reason, as in docs/reason-codes.md
	Edits      map[string]int `json:"edits"`
	Frozen     map[string]int `json:"frozen"`
	Demoted    *Demotion      `json:"demoted"`
}

// Demotion is when the daemon would have taken the mesh from the policy.
type Demotion struct {
	At  time.Time `json:"at"`
	Why string    `json:"why"`
}

// Knob is what would have become of a setting.
type Knob struct {
	policy.KnobID
	Mean     float64         `json:"mean"`
	Measured *float64        `json:"mean_measured"`
	Changes  int             `json:"changes"`
	Flaps    int             `json:"flaps"`
	Verdict  dataset.Verdict `json:"effect"` // whether history tells what it does
}

// Acted is a change that the policy would have made.
type Acted struct {
	At      time.Time       `json:"at"`
	Policy  string          `json:"policy"`
	Changes []policy.Change `json:"changes"`
	Reverts bool            `json:"reverts,omitempty"`
	Reason  string          `json:"reason"`
}

// FlapIntervals after a change, its opposite is a flap.
const FlapIntervals = 10

// leastCovered is the share of the judged intervals below which there is no figure: it would
// be of other times than the reader thinks.
const leastCovered = .5

func (r *run) report(found *lifecycle.Report) *Report {
	a := r.main.account
	out := &Report{
		Mesh: r.Rules.Name, Policy: r.Policy.Name, IntervalSeconds: r.Rules.Interval.Seconds(),
		From: r.From, Judged: r.judged, To: r.To, Worlds: r.Worlds, Seed: r.Seed,
		Learned: Learned{WorldRows: r.world.data.Rows(), Fit: r.fit}, Acted: a.acted, Timeline: r.timeline.stretches(), History: found,
	}
	if r.Policy.Trains {
		out.Learned.PolicyRows = r.own.data.Rows()
	}
	out.Coverage = Coverage{Intervals: a.intervals, Measured: a.tells[factual], Modelled: a.tells[modelled], Beyond: a.tells[beyond], Blind: a.tells[blind]}
	out.Coverage.Ratio = float64(a.tells[factual]+a.tells[modelled]) / float64(a.intervals)
	for s, service := range r.services {
		out.Services = append(out.Services, Service{
			Service: service.Name, Offered: a.offered[s].share(), Measured: a.carriedWas[s].share(),
			Carried: r.figure(func(a *account) sum { return a.carried[s] }, math.Inf(1)),
		})
		for o, objective := range service.Objectives {
			out.Objectives = append(out.Objectives, Objective{
				Service: service.Name, Signal: objective.Signal, Budget: objective.Budget, Measured: a.was[s][o].share(),
				Violated: r.figure(func(a *account) sum { return a.broken[s][o] }, 1),
			})
		}
	}
	out.Decided = Decided{
		Acts: a.counts.acts, Infeasible: a.counts.infeasible, Fallback: a.counts.fallback,
		Holds: a.counts.holds, Edits: a.counts.edits, Frozen: a.counts.frozen, Demoted: a.demoted,
	}
	r.settings(out)
	out.Untold = r.cannot(out)
	if out.Acted == nil {
		out.Acted = []Acted{}
	}
	return out
}

// settings fills in what became of the knobs.
func (r *run) settings(out *Report) {
	untold := r.untold()
	for k, m := range r.main.account.moves {
		one := Knob{KnobID: r.knobs[k].KnobID, Mean: m.sum.mean(), Measured: m.was.share(), Changes: m.changes, Flaps: m.flaps, Verdict: dataset.Identifiable}
		for _, e := range r.quality.Effects {
			if e.Knob == r.knobs[k].String() {
				one.Verdict = e.Verdict
			}
		}
		if untold[k] {
			one.Verdict = dataset.NotIdentifiable
		}
		out.Knobs = append(out.Knobs, one)
		out.Decided.Flaps += m.flaps
	}
}

// cannot says what history does not tell.
func (r *run) cannot(out *Report) []string {
	said := []string{}
	for _, name := range r.quality.Unmoved {
		said = append(said, fmt.Sprintf("what %s does: it never moved before %s", name, r.judged.UTC().Format(time.RFC3339)))
	}
	for _, e := range r.quality.Effects {
		if e.Verdict != dataset.Identifiable && e.Advice != "" {
			said = append(said, "what "+e.Advice)
		}
	}
	for _, s := range r.services {
		for i, o := range s.Objectives {
			if i > 0 || o.Kind != policy.LatencyObjective {
				said = append(said, fmt.Sprintf("%s of %s under other settings than those that were in force: the model predicts the first latency objective of a service", o.Signal, s.Name))
			}
		}
	}
	if out.Coverage.Ratio < leastCovered {
		said = append(said, fmt.Sprintf("how often objectives would have been broken, and what would have been carried: only %.0f %% of the judged time is covered", 100*out.Coverage.Ratio))
	}
	if d := out.Decided.Demoted; d != nil {
		said = append(said, fmt.Sprintf("what a person would have done after the demotion at %s: from then on the settings are left as they were then", d.At.UTC().Format(time.RFC3339)))
	}
	return said
}

// figure is one of the main life, in a range as wide as the other worlds differ, of which the
// truth is taken to be one more. Where these, of half as many intervals, lie to one side of the
// main one, it is wider by that much: with more intervals it would have gone on to the other.
func (r *run) figure(of func(*account) sum, most float64) *Figure {
	here := of(r.main.account)
	if here.n < leastCovered*float64(r.main.account.intervals) || here.n == 0 {
		return nil
	}
	var values []float64
	for _, l := range r.others {
		if x := of(l.account); x.n > 0 {
			values = append(values, x.mean())
		}
	}
	if len(values) < 2 {
		return nil
	}
	var mean, square sum
	for _, v := range values {
		mean.add(v)
	}
	for _, v := range values {
		square.add((v - mean.mean()) * (v - mean.mean()))
	}
	n := float64(len(values))
	v := here.mean()
	half := studentT(n-1)*math.Sqrt(square.total/(n-1)*(1+1/n)) + math.Abs(v-mean.mean())
	return &Figure{Value: v, Low: math.Max(0, v-half), High: math.Min(most, v+half)}
}

// studentT is the .95 quantile of Student's t, for a range that is kept nine times of ten, by
// the expansion about the normal one (Abramowitz and Stegun, 26.7.5): within .01 from 4 degrees
// of freedom on.
func studentT(freedom float64) float64 {
	const z, z2 = 1.6448536269514722, 1.6448536269514722 * 1.6448536269514722
	return z + z*(z2+1)/(4*freedom) + z*(3+z2*(16+5*z2))/(96*freedom*freedom)
}

// mostFirst are the reasons of a count, the most frequent first.
func mostFirst(of map[string]int) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
	})
}
