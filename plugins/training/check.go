package training

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/train"
)

// checked are the checks that are about an artefact: that it is taken, and that decisions
// with it are whole, pure, and the same after a restart. The others are about the plugin.
var checked = []string{"answers", "repeat", "order", "bad-state", "no-data", "kill"}

// RejectedError says what is wrong with decisions by what was trained.
type RejectedError struct {
	Plugin string
	Failed []conformance.Result
	Wrote  []string // the last lines that the plugin wrote
}

// Error is a line, and the findings below it.
func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %s: what it has trained fails %d of %d checks\n", e.Plugin, len(e.Failed), len(checked)+1)
	for _, r := range e.Failed {
		_ = r.WriteText(&b) // which does not fail
	}
	if len(e.Wrote) > 0 {
		fmt.Fprintf(&b, "The last lines that it wrote:\n  | %s\n", strings.Join(e.Wrote, "\n  | "))
	}
	b.WriteString("Mend it (`windvane plugin check` has these checks, and more), and train it again")
	return b.String()
}

// check holds the plugin to what its host expects, with what it has trained.
func (r *Result) check(ctx context.Context, p Plugin, config policy.Config, seed uint64, progress Progress) error {
	n := 0
	report, err := conformance.Check(ctx, conformance.Options{
		Command: p.Command, SHA256: p.SHA256, Config: config, Observation: Observation(r.Card), Deadline: p.Deadline,
		StartTimeout: p.StartTimeout, Only: checked, Seed: seed,
	}, func(done conformance.Result) {
		progress.Count("checks of what was trained", n, len(checked)+1)
		if progress.Remark(done.Check); done.About != "" {
			n++
		}
	})
	if err != nil {
		return err
	}
	r.Checks = report.Results
	if report.Failed() == 0 {
		return nil
	}
	rejected := &RejectedError{Plugin: p.Name, Wrote: report.Output}
	for _, x := range report.Results {
		if len(x.Findings) > 0 {
			rejected.Failed = append(rejected.Failed, x)
		}
	}
	return rejected
}

// Observation is one of the mesh of an artefact: half of the load that it knows, nothing
// blocked, all traffic of a route at its first destination.
func Observation(card train.Card) policy.Observation {
	o := policy.Observation{Mesh: card.Mesh, At: time.Unix(0, 0).UTC(), Knobs: card.Knobs, Limits: policy.Limits{MaxStep: 1, TotalBlocking: 1}}
	target := ""
	for _, k := range card.Knobs {
		value := k.Min
		if k.Kind == policy.Weight {
			if value = 0; k.Target != target {
				target, value = k.Target, 1
			}
		}
		o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: value})
	}
	for _, s := range card.Services {
		load := (s.Offered.Min + s.Offered.Max) / 2
		o.Services = append(o.Services, policy.Service{Name: s.Service, Value: 1, Objectives: []policy.Objective{
			{Signal: s.Signal, Kind: policy.LatencyObjective, Bound: .1, Budget: .05, Margin: s.Margin},
		}})
		for _, signal := range []policy.Signal{
			{Name: s.Signal, Role: policy.RoleLatency, Value: .05},
			{Name: "offered load", Role: policy.RoleOffered, Value: load},
			{Name: "carried load", Role: policy.RoleCarried, Value: load},
		} {
			signal.Service, signal.Status, signal.At = s.Service, policy.Valid, o.At
			o.State = append(o.State, signal)
		}
	}
	o.State.Sort()
	return o
}

// try judges what was trained.
func (r *Result) try(ctx context.Context, p Plugin, config policy.Config, trial *eval.Trial, progress Progress) error {
	dir, err := socketDir()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by then
	var wrote conformance.Tail
	o := p.options(dir, &wrote)
	o.Config = config
	h := host.New(o)
	defer h.Stop(ctx)
	if err := h.Start(ctx); err != nil {
		return told(err, &wrote)
	}
	asked := &patient{Policy: h}
	report, err := trial.Run(ctx, r.Card.Policy, asked, progress.Count)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return told(err, &wrote)
	}
	r.Report, r.Asked, r.Missed, r.Failure = &report, asked.asked, asked.missed, asked.failure
	r.Card.Plugin.Judged = figures(report, r.Card.Policy)
	return nil
}

// figures are a policy's rows of a report.
func figures(report eval.Report, name string) []train.Judgement {
	var out []train.Judgement
	for _, load := range []string{eval.LoadSeen, eval.LoadUnseen} {
		one := train.Judgement{Load: load}
		for _, row := range report.Rows {
			switch {
			case row.Policy != name || row.Load != load:
			case row.Objective == train.ObjectiveReward:
				one.Reward = row.RewardRatio
			default:
				one.Carried, one.Violated, one.Value = row.CarriedRatio, row.ViolatedRatio, row.RewardRatio
			}
		}
		out = append(out, one)
	}
	return out
}

// A trial goes on without the answers of a policy, as a daemon does, if it is not for too
// many of them.
const (
	fewMissed = 20
	mostShare = 10 // one in so many
)

// patient holds the live settings where a policy has no answer.
type patient struct {
	policy.Policy
	asked, missed int
	failure       error
}

// Decide asks the policy.
func (p *patient) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	p.asked++
	d, err := p.Policy.Decide(ctx, o)
	if err == nil || ctx.Err() != nil {
		return d, err
	}
	if p.missed++; p.failure == nil {
		p.failure = err
	}
	if p.missed > fewMissed && p.missed > p.asked/mostShare {
		return policy.Decision{}, fmt.Errorf("%d of %d decisions had no answer, the first: %w", p.missed, p.asked, p.failure)
	}
	return policy.Decision{Abstain: true, Reason: "there was no answer"}, nil
}
