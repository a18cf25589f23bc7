package backtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// life is a policy's in an imagined mesh: the daemon's loop, with what it observes and acts
// upon. It is the loop's observer, actuator, journal, and who allows it to act.
type life struct {
	mesh    *mesh
	loop    *loop.Loop
	live    policy.Action
	now     *lifecycle.Interval
	tells   telling // of the interval that has just ended
	demoted []journal.AuthoritySource
	seq     uint64
	account *account
}

// forever is longer than any cycle takes here, where nothing waits for a network.
const forever = time.Hour

// newLife begins with settings in force. The rules' mesh is to act, whatever its ceiling is:
// what is asked is what it would have done.
func newLife(rulesOf *rules.Mesh, m *mesh, c Configured, first policy.Action) (*life, error) {
	acts := *rulesOf
	acts.Guard.Authority = rules.AuthorityAct
	l := &life{mesh: m, live: policy.Quantise(first.Clone()), account: newAccount(m)}
	var err error
	l.loop, err = loop.New(loop.Options{
		Mesh: &acts, Observer: l, Actuator: l, Journal: l, Authority: l, Demoter: l,
		Active: c.Active, Fallback: c.Fallback, Initial: c.Initial, Timeout: forever, Logger: slog.New(slog.DiscardHandler),
	})
	return l, err
}

// step has the cycle at the end of an interval.
func (l *life) step(ctx context.Context, iv *lifecycle.Interval) {
	l.now = iv
	before := l.live
	r := l.loop.Cycle(ctx, iv.At)
	l.account.add(iv, &r, before, l.tells)
}

// Observe is the loop's: what the mesh answers.
func (l *life) Observe(_ context.Context, at time.Time) observe.Observation {
	var state policy.State
	state, l.tells = l.mesh.answer(l.now, l.live)
	return observe.Observation{State: state, At: at}
}

// Live is the loop's.
func (l *life) Live(context.Context) (policy.Action, map[string]string, error) {
	return l.live.Clone(), nil, nil
}

// Prepare is the loop's: every plan is admitted.
func (l *life) Prepare(_ context.Context, _, _ policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return known, nil
}

// Apply is the loop's: at once, and in whole percents, as Istio has them.
func (l *life) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	l.live = policy.Quantise(want.Clone())
	return nil
}

// Append is the loop's: what a report is made of is in its answer to a cycle.
func (l *life) Append(time.Time, string, string, any, bool) (uint64, error) {
	l.seq++
	return l.seq, nil
}

// Sources are the loop's: nobody lowers the authority but a demotion.
func (l *life) Sources() []journal.AuthoritySource { return l.demoted }

// Enter is the loop's.
func (l *life) Enter() func() { return func() {} }

// Demote is the loop's.
func (l *life) Demote(reason string, at time.Time) error {
	l.demoted = []journal.AuthoritySource{{Source: authority.SourceDemotion, Level: string(rules.AuthorityObserve), Since: at, Why: reason}}
	return nil
}
