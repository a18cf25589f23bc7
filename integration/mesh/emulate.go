package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/explore"
	"github.com/windvane/windvane/plugins/policy"
	planner "github.com/windvane/windvane/plugins/tabular"
	shedder "github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/train"
)

// addEmulate adds `emulate`.
func addEmulate(app *kingpin.Application, commands map[string]func(context.Context) error) {
	c := app.Command("emulate", "What `evaluate` does, on an emulator of the shop, in seconds in place of hours: to choose by, and not the real thing. Its nodes have the same workers and means; there is no proxy, no network and no machine that is busy.")
	seed := c.Flag("seed", "The first of the seeds of loads and arrivals.").Default("1001").Uint64()
	seeds := c.Flag("seeds", "Runs of each load and controller, each with a seed, an exploration and a sweep of its own.").Default("4").Int()
	exploring := c.Flag("explore", "Seconds of exploration.").Default("1200").Int()
	intervals := c.Flag("intervals", "Seconds of each run that is judged.").Default("600").Int()
	commands["emulate"] = func(ctx context.Context) error {
		if *seeds < 1 || *exploring < 1 || *intervals < 1 {
			return fmt.Errorf("emulate: --seeds %d --explore %d --intervals %d: want at least 1 of each", *seeds, *exploring, *intervals)
		}
		return emulate(ctx, os.Stdout, *seed, *seeds, *exploring, *intervals)
	}
}

// emulated is what a controller was in its runs under a kind of load: means.
type emulated struct {
	violated []float64 // by service, as stack.Services
	carried  float64   // of what is offered
	nothing  float64   // share of the decisions with nothing feasible
}

func emulate(ctx context.Context, to io.Writer, seed uint64, seeds, exploring, intervals int) error {
	m, err := rules.Parse("rules.toml", []byte(shopRules(rules.AuthorityAct, "")))
	if err != nil {
		return err
	}
	sums := map[[2]string]*emulated{}
	for k := range seeds {
		s := shopEmulation{rules: m, seed: seed + uint64(k)}
		learned, err := s.learn(ctx, exploring)
		if err != nil {
			return fmt.Errorf("seed %d: %w", s.seed, err)
		}
		for _, kind := range judged {
			for _, controller := range controllers {
				if err := s.judge(ctx, kind, controller, learned, intervals, sums); err != nil {
					return fmt.Errorf("seed %d, %s load, %s: %w", s.seed, kind, controller, err)
				}
			}
		}
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "an emulator of the shop; seeds %d to %d; runs of %d intervals of 1 s; error budget %g %% of the intervals\n\n", seed, seed+uint64(seeds)-1, intervals, 100*stack.Budget)
	_, _ = fmt.Fprintf(t, "load\tcontroller\tviolated %s\t%s\tcarried\tnothing feasible\n", stack.Services[0], stack.Services[1])
	for _, kind := range judged {
		for _, controller := range controllers {
			x := sums[[2]string{kind, controller}]
			for _, v := range []*float64{&x.violated[0], &x.violated[1], &x.carried, &x.nothing} {
				*v *= 100 / float64(seeds)
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\n", kind, controller, x.violated[0], x.violated[1], x.carried, x.nothing)
		}
	}
	return t.Flush()
}

// shopEmulation is the shop of one seed.
type shopEmulation struct {
	rules *rules.Mesh
	seed  uint64
}

// The emulator's nodes: what nodes' Services say, waiting and computing together.
const (
	informationMean = 30200 * time.Microsecond
	computeMean     = 75200 * time.Microsecond
)

// loop is the daemon's loop with a policy on the emulated shop.
func (s shopEmulation) loop(sc scene, p policy.Policy) eval.ClosedLoop {
	var g emulator.Graph
	for _, name := range stack.Versions {
		g.Nodes = append(g.Nodes, emulator.Node{
			Name: name, Concurrency: nodes.Workers[name], Replicas: 1,
			Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: informationMean.Seconds()},
		})
	}
	for k, name := range stack.Services {
		work := map[string]float64{"information": 1, "compute": computeMean.Seconds() / informationMean.Seconds()}[name]
		service := emulator.Service{Name: name, Load: sc.loads[k], TimeoutSeconds: 10}
		for _, v := range stack.Versions {
			service.Destinations = append(service.Destinations, emulator.Destination{Name: v, Path: []emulator.Visit{{Node: v, Work: work}}})
		}
		g.Services = append(g.Services, service)
		g.BucketBounds = append(g.BucketBounds, 1000*bounds[name].Seconds())
	}
	// The buckets of the gateway's histogram (stack/envoy.yaml.tmpl) about the bounds, in ms.
	g.BucketBounds = append(g.BucketBounds, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 150, 300)
	return eval.ClosedLoop{
		Mesh: s.rules, Emulator: emulator.Options{Graph: g, Seed: sc.seed, SettleSeconds: .15}, Policy: p,
		Params: margin.Defaults(), Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Intervals: sc.warm + sc.intervals,
		Scrape: interval / 4, Arrivals: true,
	}
}

// learn explores as on the real mesh, and makes the table of what came of it.
func (s shopEmulation) learn(ctx context.Context, intervals int) (*train.Tabular, error) {
	sc, err := newScene(exploring, s.seed+apart, full.warm, intervals)
	if err != nil {
		return nil, err
	}
	p := explore.New()
	if err := p.Configure(ctx, policy.Config{Settings: fmt.Appendf(nil, `{"seed": %d, "hold": %q}`, s.seed, hold)}); err != nil {
		return nil, err
	}
	t, err := s.loop(sc, p).Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("exploration: %w", err)
	}
	d, err := t.Explored(s.rules)
	if err != nil {
		return nil, err
	}
	return train.EnumerateTabular(s.rules, d, "", s.seed)
}

// judge adds a run of a controller.
func (s shopEmulation) judge(ctx context.Context, kind, controller string, l *train.Tabular, intervals int, to map[[2]string]*emulated) error {
	sc, err := newScene(kind, s.seed, full.warm, intervals)
	if err != nil {
		return err
	}
	var p policy.Policy
	switch controller {
	case none:
		p = stays{initial}
	case fixed:
		a, err := s.best(ctx, kind)
		if err != nil {
			return err
		}
		p = stays{a}
	case threshold:
		p = shedder.New()
	case tabular:
		artefact, err := l.Table.Encode()
		if err != nil {
			return err
		}
		p = planner.New()
		if err := p.Configure(ctx, policy.Config{Artefact: artefact}); err != nil {
			return err
		}
	}
	loop := s.loop(sc, p)
	loop.Initial = l.Card.Initial
	t, err := loop.Run(ctx)
	if err != nil {
		return err
	}
	at := [2]string{kind, controller}
	if to[at] == nil {
		to[at] = &emulated{violated: make([]float64, len(stack.Services))}
	}
	to[at].add(s.measure(t))
	return nil
}

// stays is a setting that stays.
type stays struct{ action policy.Action }

func (stays) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: fixed, Version: "1"}, nil
}
func (stays) Configure(context.Context, policy.Config) error { return nil }
func (s stays) Decide(context.Context, policy.Observation) (policy.Decision, error) {
	return policy.Decision{Action: s.action.Clone(), Reason: "it stays"}, nil
}

// best is the setting that refuses least of those that keep the budgets, as of `evaluate`.
func (s shopEmulation) best(ctx context.Context, kind string) (policy.Action, error) {
	sc, err := newScene(kind, s.seed+apart, full.warm, full.sweep.intervals)
	if err != nil {
		return nil, err
	}
	var last policy.Action
	for _, c := range blockings([]map[string]float64{{"information": .75, "compute": .5}, {"information": .5, "compute": .5}}, sc.offered()) {
		last = c.action()
		t, err := s.loop(sc, stays{last}).Run(ctx)
		if err != nil {
			return nil, err
		}
		if x := s.measure(t); x.violated[0] <= stack.Budget && x.violated[1] <= stack.Budget {
			break
		}
	}
	return last, nil
}

// measure leaves out the warm-up.
func (s shopEmulation) measure(t *eval.Trace) emulated {
	out := emulated{violated: make([]float64, len(stack.Services))}
	n, offered := 0., 0.
	for _, in := range t.Intervals[full.warm:] {
		n++
		if in.Infeasible {
			out.nothing++
		}
		for k, name := range stack.Services {
			for _, x := range in.Services {
				if x.Service != name {
					continue
				}
				if x.Latency > bounds[name].Seconds() {
					out.violated[k]++
				}
				offered += float64(x.Totals.Offered)
				out.carried += float64(x.Totals.Carried)
			}
		}
	}
	out.carried /= max(offered, 1)
	out.nothing /= n
	for k := range out.violated {
		out.violated[k] /= n
	}
	return out
}

func (e *emulated) add(x emulated) {
	for k, v := range x.violated {
		e.violated[k] += v
	}
	e.carried += x.carried
	e.nothing += x.nothing
}
