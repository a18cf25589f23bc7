package loop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// errNoTime is why a shadow policy was not asked.
var errNoTime = errors.New("it was not asked: the cycle had used up its interval")

// shadows asks the shadow policies, all at once, and records what they would have done.
// It comes last, when the cycle has acted: no answer, late or wrong, can touch what is
// done, and what they cost is bounded by their share of the interval and by what is left
// of it, so that the next cycle is not late. A cycle that was woken asks none: they are
// compared by the interval.
func (l *Loop) shadows(ctx context.Context, at time.Time, r *Report) {
	if len(l.o.Shadows) == 0 || r.Intent.Live == nil || l.woken != "" {
		return
	}
	defer l.watch.time(StageShadow)()
	ctx, cancel := context.WithTimeout(ctx, min(l.o.ShadowTimeout, l.o.Mesh.Interval-l.watch.elapsed()))
	defer cancel()
	r.Shadows, r.Trials = make([]journal.ShadowAnswer, len(l.o.Shadows)), make([]Trial, len(l.o.Shadows))
	t := l.newTrial(l.observation(at, &r.Intent), &r.Intent)
	var asked sync.WaitGroup
	for i, s := range l.o.Shadows {
		asked.Go(func() { r.Shadows[i], r.Trials[i] = t.answer(ctx, s) })
	}
	asked.Wait()
	body := &journal.Shadow{Cycle: r.Intent.Cycle, Answers: r.Shadows}
	if _, err := l.o.Journal.Append(at, l.o.Mesh.Name, journal.KindShadow, body, false); err != nil {
		r.fail(fmt.Errorf("record the shadow policies: %w", err))
	}
}

// answer asks a shadow policy, and has what it would do judged.
func (t *trial) answer(ctx context.Context, s Decider) (journal.ShadowAnswer, Trial) {
	out, tried := journal.ShadowAnswer{Policy: s.Name}, Trial{Policy: s.Name}
	o := t.asShadow(s)
	d, err := policy.Decision{}, errNoTime
	begun := t.l.watch.elapsed()
	if ctx.Err() == nil {
		d, err = s.Policy.Decide(ctx, o)
	}
	out.Seconds = (t.l.watch.elapsed() - begun).Seconds()
	if err == nil && !d.Abstain {
		err = d.Action.Validate(o.Knobs)
	}
	if err != nil {
		out.Error = err.Error()
	} else {
		out.Reason, out.Abstain, out.Infeasible, out.Expected = d.Reason, d.Abstain, d.Infeasible, d.Expected
		if !d.Abstain {
			out.Changes = policy.Diff(o.Live, d.Action, planTolerance)
		}
		tried = t.run(ctx, s, o, d)
		tried.Seconds, out.Judged, out.Aim = out.Seconds, tried.Judged, policy.Diff(o.Live, tried.Aim, planTolerance)
	}
	out.Cut()
	return out, tried
}

// observation is what the policies of the cycle are told.
func (l *Loop) observation(at time.Time, i *journal.Intent) policy.Observation {
	return policy.Observation{
		Mesh: l.o.Mesh.Name, At: at, State: i.State, Live: i.Live,
		Knobs: l.knobs, Limits: i.Limits, Services: i.Services,
	}
}
