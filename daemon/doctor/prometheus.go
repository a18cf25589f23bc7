package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/probe"
)

// prometheus looks at one source: whether it answers, which version it is, how its clock
// differs from the one here, and which recording rules it has.
func (e *examination) prometheus(ctx context.Context, p config.Prometheus) {
	add := e.about("", "prometheus")
	state := &source{api: e.o.Sources[p.Name].API}
	e.sources[p.Name] = state
	if err := e.o.Sources[p.Name].Err; err != nil || state.api == nil {
		add(p.Name, Problem, fmt.Sprintf("there is no client for it: %v", err), "correct [prometheus."+p.Name+"]")
		return
	}
	var ahead time.Duration
	var err error
	e.ask(ctx, func(ctx context.Context) { ahead, err = e.clock(ctx, state.api) })
	if err != nil {
		add(p.Name, Problem, fmt.Sprintf("%s does not answer: %v", p.URL, err),
			"start it, or correct url and [prometheus."+p.Name+".http]; until then windvane holds, and nothing about its queries is known")
		return
	}
	state.answers = true
	e.ask(ctx, func(ctx context.Context) {
		if info, err := state.api.Buildinfo(ctx); err != nil {
			add(p.Name, Unknown, fmt.Sprintf("%s answers queries, but says no version: %v", p.URL, err), "nothing, if it is not Prometheus itself")
		} else {
			add(p.Name, OK, fmt.Sprintf("%s answers; version %s", p.URL, info.Version), "")
		}
	})
	e.difference(p, ahead)
	e.ask(ctx, func(ctx context.Context) { state.recorded, state.rulesErr = probe.Rules(ctx, state.api) })
	if state.rulesErr != nil {
		add(p.Name, Unknown, state.rulesErr.Error(), "what is behind recording rules cannot be looked at: ranges, intervals, buckets")
	}
}

// clock returns by how much the source's clock is ahead of the one here, to about half
// the time that the question took.
func (e *examination) clock(ctx context.Context, api probe.API) (time.Duration, error) {
	before := e.o.Now()
	value, _, _, err := api.Query(ctx, "time()", time.Time{}) // no time: that of the server
	if err != nil {
		return 0, err
	}
	scalar, ok := value.(*model.Scalar)
	if !ok {
		return 0, fmt.Errorf("time() was answered with a %T; is it Prometheus?", value)
	}
	after := e.o.Now()
	seconds := float64(scalar.Value)
	there := time.Unix(0, 0).Add(time.Duration(seconds * float64(time.Second)))
	return there.Sub(before.Add(after.Sub(before) / 2)), nil
}

// difference holds the difference of the clocks against the shortest interval.
func (e *examination) difference(p config.Prometheus, ahead time.Duration) {
	var interval time.Duration
	for _, m := range e.o.Meshes {
		if m.Rules.Prometheus == p.Name && (interval == 0 || m.Rules.Interval < interval) {
			interval = m.Rules.Interval
		}
	}
	if interval == 0 {
		return
	}
	off := ahead.Abs()
	what := fmt.Sprintf("its clock is %v ahead of the one here", off.Round(time.Millisecond))
	if ahead < 0 {
		what = fmt.Sprintf("its clock is %v behind the one here", off.Round(time.Millisecond))
	}
	add := e.about("", "clock")
	switch {
	case off > interval:
		add(p.Name, Problem, fmt.Sprintf("%s, more than an interval of %s: windvane asks for another time than now, and its signals are stale or late",
			what, model.Duration(interval)), "let both machines keep time by NTP")
	case off > interval/5:
		add(p.Name, Warning, fmt.Sprintf("%s, more than a fifth of an interval of %s", what, model.Duration(interval)), "let both machines keep time by NTP")
	case off < time.Millisecond:
		add(p.Name, OK, "its clock agrees with the one here to less than a millisecond", "")
	default:
		add(p.Name, OK, what, "")
	}
}
