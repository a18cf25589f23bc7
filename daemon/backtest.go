package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/windvane/windvane/daemon/backtest"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/train"
)

// BacktestOptions say what is judged, and on which history.
type BacktestOptions struct {
	HistoryOptions

	Policy   string // of the rules file, or a built-in one
	Artefact string // that it decides with; empty: that of the rules file, else it is trained on a part of the history
	Settings []byte // JSON; empty: those of the rules file, if the policy is one of it
	Learn    float64
	Worlds   int
	Seed     uint64
}

// Backtest says what a policy would have done with a mesh's history. It needs no daemon.
func Backtest(ctx context.Context, o BacktestOptions) (*backtest.Report, error) {
	judged, err := o.judged(ctx)
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	history, closeHistory, err := o.history()
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	defer closeHistory()
	if history.From.IsZero() {
		if err := span(ctx, &history); err != nil {
			return nil, fmt.Errorf("backtest: %w", err)
		}
	}
	return backtest.Run(ctx, backtest.Options{
		Rules: o.Rules, From: history.From, To: history.To, Learn: o.Learn, Policy: judged, Seed: o.Seed, Worlds: o.Worlds,
		Walk: func(ctx context.Context, each func(lifecycle.Interval) error) (*lifecycle.Report, error) {
			return lifecycle.Walk(ctx, history, each)
		},
	})
}

// span finds out from when to when a journal is.
func span(ctx context.Context, o *lifecycle.Options) error {
	all := *o
	all.Progress = nil
	r, err := lifecycle.Walk(ctx, all, func(lifecycle.Interval) error { return ctx.Err() })
	if err != nil {
		return err
	}
	if r.Intervals == 0 {
		return fmt.Errorf("%s has no interval of mesh %s in that time", o.Journal, o.Rules.Name)
	}
	o.From, o.To = r.From.Add(-o.Rules.Interval), r.To
	return nil
}

// judged is the policy, before it has learned anything.
func (o *BacktestOptions) judged(ctx context.Context) (backtest.Policy, error) {
	kind, artefact, err := o.find()
	if err != nil {
		return backtest.Policy{}, err
	}
	is, err := Builtins()[kind]().Describe(ctx)
	if err != nil {
		return backtest.Policy{}, err
	}
	trains := is.Artefact && artefact == nil
	if trains && !slices.Contains([]string{tabular.Name, rollout.Name, search.Name}, kind) {
		return backtest.Policy{}, fmt.Errorf("policy %s decides with a trained artefact: name one by --artefact; `windvane train --policy %s` makes one", kind, kind)
	}
	if artefact != nil {
		if err := fits(ctx, kind, artefact); err != nil {
			return backtest.Policy{}, err
		}
	}
	return backtest.Policy{Name: o.Policy, Trains: trains, Configure: func(ctx context.Context, d *dataset.Dataset, instances int) ([]backtest.Configured, error) {
		conf, initial := policy.Config{Settings: o.Settings}, func(string, string) margin.Calibration { return margin.Calibration{} }
		switch {
		case artefact != nil:
			conf.Card, conf.Artefact, initial = artefact.Text, artefact.Policy, artefact.Card.Initial
		case trains:
			card, src, err := trainOn(o.Rules, d, kind, o.Seed)
			if err != nil {
				return nil, fmt.Errorf("train policy %s: %w", kind, err)
			}
			conf.Artefact, initial = src, card.Initial
		}
		return o.configured(ctx, kind, conf, initial, instances)
	}}, nil
}

// configured returns policies that are ready to decide, each with a fallback of its own.
func (o *BacktestOptions) configured(ctx context.Context, kind string, conf policy.Config, initial func(service, signal string) margin.Calibration, instances int) ([]backtest.Configured, error) {
	fallback := policy.Config{}
	for _, ref := range o.Rules.Policies {
		if ref.Role == rules.RoleFallback {
			var err error
			if fallback.Settings, err = ref.SettingsJSON(); err != nil {
				return nil, fmt.Errorf("policy %s: settings: %w", ref.Name, err)
			}
		}
	}
	var out []backtest.Configured
	for range instances {
		p, f := Builtins()[kind](), threshold.New()
		if err := errors.Join(p.Configure(ctx, conf), f.Configure(ctx, fallback)); err != nil {
			return nil, fmt.Errorf("policy %s: %w", o.Policy, err)
		}
		out = append(out, backtest.Configured{
			Active: &loop.Decider{Name: o.Policy, Policy: p}, Fallback: loop.Decider{Name: inProcess, Policy: f}, Initial: initial,
		})
	}
	return out, nil
}

// find tells which built-in policy is judged, and reads its artefact, if it is given one.
func (o *BacktestOptions) find() (kind string, artefact *train.Artefact, err error) {
	names := BuiltinNames()
	kind = o.Policy
	known := slices.Clone(names)
	for _, ref := range o.Rules.Policies {
		known = append(known, ref.Name)
		if ref.Name != o.Policy {
			continue
		}
		if len(o.Settings) == 0 {
			if o.Settings, err = ref.SettingsJSON(); err != nil {
				return "", nil, fmt.Errorf("policy %s: settings: %w", ref.Name, err)
			}
		}
		if o.Artefact == "" && ref.Artefact != "" {
			o.Artefact = train.Find(ref.Artefact, ArtefactDirectory(o.StateDirectory))
		}
		if slices.Contains(names, ref.Plugin) {
			kind = ref.Plugin
		}
	}
	if !slices.Contains(known, o.Policy) {
		return "", nil, fmt.Errorf("there is no policy %q, neither in %s nor among the built-in ones; %s", o.Policy, o.Rules.File, rules.Suggest(o.Policy, known))
	}
	if o.Artefact != "" {
		if artefact, err = train.Read(o.Artefact); err != nil {
			return "", nil, fmt.Errorf("policy %s: %w", o.Policy, err)
		}
		if !slices.Contains(names, kind) {
			kind = artefact.Card.Policy
		}
	}
	if !slices.Contains(names, kind) {
		return "", nil, fmt.Errorf("which policy %s is, its plugin in windvane.toml says, which is not read here; name a built-in one (%v) and its --artefact and --settings", o.Policy, names)
	}
	return kind, artefact, nil
}

// trainOn makes what a policy decides with of a part of the history.
func trainOn(m *rules.Mesh, d *dataset.Dataset, kind string, seed uint64) (train.Card, []byte, error) {
	if kind == search.Name {
		s, err := train.FitSearched(m, d, "", seed)
		if err != nil {
			return train.Card{}, nil, err
		}
		src, err := s.Model.Encode()
		return s.Card, src, err
	}
	t, err := train.EnumerateTabular(m, d, "", seed)
	if err != nil {
		return train.Card{}, nil, err
	}
	src, err := t.Table.Encode()
	return t.Card, src, err
}
