package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// Observer measures all signals of the mesh at one instant.
type Observer interface {
	Observe(ctx context.Context, at time.Time) observe.Observation
}

// Actuator reads and writes the settings of the mesh. Prepare tries a write without
// making it, and returns what has to be on disk before Apply: for each object that was
// or will be written, what was there before windvane. known is what it returned before,
// and live what Live did: a setting that is another one by then is not overwritten. said is
// what objects say of the authority, by their names.
type Actuator interface {
	Live(ctx context.Context) (live policy.Action, said map[string]string, err error)
	Prepare(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error)
	Apply(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) error
}

// Journal keeps records; a durable one is on disk when Append returns.
type Journal interface {
	Append(at time.Time, mesh, kind string, body any, durable bool) (uint64, error)
}

// Decider is a policy with the name that the rules file gives it.
type Decider struct {
	Name     string
	Policy   policy.Policy     // which keeps its own deadline
	Standing *journal.Standing // of an active one, for the journal; nil: not known

	// Initial is Options.Initial as a shadow policy's own artefact has it; nil: it has none.
	Initial func(service, signal string) margin.Calibration
}

// Options are what a Loop is made of.
type Options struct {
	Mesh     *rules.Mesh
	Observer Observer
	Actuator Actuator
	Journal  Journal
	Active   *Decider      // nil: the fallback decides, and nothing is counted
	Fallback Decider       // in-process: it has to answer when a plugin does not
	Timeout  time.Duration // of reading and of writing the settings, each
	Logger   *slog.Logger

	Shadows       []Decider            // asked and recorded, and nothing else
	ShadowTimeout time.Duration        // of all of them together, as a share of the interval
	Clock         func() time.Duration // monotonic, for durations; nil: every duration is 0

	// Initial gives an objective's first control state, as the active policy's artefact
	// has it.
	Initial func(service, signal string) margin.Calibration
	Resume  Resume

	Authority Authority     // nil: the rules file and annotations alone say what may be done
	Desk      *approve.Desk // of the plan that waits for approval; nil: one of its own
	Demoter   Demoter       // nil: nothing is demoted
	Explorer  Explorer      // nil: nothing is explored

	// RollBack has the policy give its place back to the one before, because it does harm: a
	// canary is on a shorter leash, and its mesh is not lowered for it. Nil: it is no canary.
	RollBack func(reason string, at time.Time) error

	// Alerts returns those that fire for the mesh, and how many more do; nil: none is known.
	Alerts func() (list []journal.Alert, more int)
}

// Resume is what an earlier run, or the loop before a reload, left. The zero value: nothing.
type Resume struct {
	Control margin.Control
	Cycle   uint64          // of the last cycle
	Open    *journal.Intent // the last intent, if it has no outcome yet
	Own     bool            // Open was made by this process, and written if it was to be
	applied error           // of Open
	seen    observe.Newest

	Commanded  policy.Action // what windvane left in force; nil: not known
	Baseline   map[string]json.RawMessage
	changes    guard.History
	pending    *written
	unresolved *journal.Intent
	late       []*journal.Outcome

	said       map[string]string
	sources    []journal.AuthoritySource
	handedOver bool
	evidence   evidence

	interrupted *interval
}

// Loop runs the cycles of one mesh, one at a time. It is not safe for concurrent use.
type Loop struct {
	o        Options
	params   margin.Params
	knobs    []policy.Knob
	limits   policy.Limits
	services []policy.Service

	control margin.Control
	cycle   uint64
	open    *journal.Intent
	own     bool
	applied error // why open could not be applied
	seen    observe.Newest

	commanded  policy.Action // in force, as far as nobody else changes it; nil: not known
	baseline   map[string]json.RawMessage
	changes    guard.History // that count for the pace
	pending    *written
	unresolved *journal.Intent    // of an earlier process, not closed because nothing could be read since
	late       []*journal.Outcome // could not be recorded yet, oldest first

	said    map[string]string         // of the authority, by object, when it was read last
	sources []journal.AuthoritySource // of the last look

	handedOver bool // what is in force is the others' to set

	woken       string    // why this cycle came before its time; empty: it did not
	interrupted *interval // nil: no cycle was woken since the last one at its time

	following *verify.Watch
	findings  []verify.Finding // of this cycle; nil: nothing could be judged, or not in one that was woken
	evidence  evidence

	newest margin.Residuals // of this cycle

	watch stopwatch
}

// New returns a loop that has not run.
func New(o Options) (*Loop, error) {
	switch {
	case o.Mesh == nil || o.Observer == nil || o.Actuator == nil || o.Journal == nil || o.Logger == nil || o.Initial == nil:
		return nil, errors.New("loop: an option is missing")
	case o.Fallback.Policy == nil:
		return nil, errors.New("loop: no fallback policy")
	}
	if o.Desk == nil {
		o.Desk = approve.NewDesk(o.Mesh.Name)
	}
	l := &Loop{
		o: o, params: margin.Defaults(), knobs: o.Mesh.Knobs(), limits: o.Mesh.Limits(), services: o.Mesh.PolicyServices(),
		cycle: o.Resume.Cycle, open: o.Resume.Open, own: o.Resume.Own, applied: o.Resume.applied, seen: o.Resume.seen,
		commanded: o.Resume.Commanded, baseline: o.Resume.Baseline, changes: o.Resume.changes, pending: o.Resume.pending, unresolved: o.Resume.unresolved, late: o.Resume.late,
		said: o.Resume.said, sources: o.Resume.sources, handedOver: o.Resume.handedOver,
		interrupted: o.Resume.interrupted, watch: stopwatch{clock: o.Clock},
	}
	l.following, l.evidence = verify.New(o.Mesh), o.Resume.evidence
	if o.Active != nil {
		l.evidence = l.evidence.adopt(o.Active.Name)
	}
	l.control = o.Resume.Control.Adopt(l.params, l.services, o.Initial)
	return l, nil
}

// Resume returns what the next loop of the mesh goes on from.
func (l *Loop) Resume() Resume {
	return Resume{
		Control: l.control, Cycle: l.cycle, Open: l.open, Own: l.own, applied: l.applied, seen: l.seen,
		Commanded: l.commanded, Baseline: l.baseline, changes: l.changes, pending: l.pending, unresolved: l.unresolved, late: l.late,
		said: l.said, sources: l.sources, handedOver: l.handedOver, evidence: l.evidence,
		interrupted: l.interrupted,
	}
}

// ResumeFrom returns what an earlier process left: the newest intent of a mesh in the
// journal, and the one that has no outcome yet, which may be an older one; nil: none.
func ResumeFrom(newest journal.Intent, open *journal.Intent) (Resume, error) {
	r := Resume{
		Cycle: newest.Cycle, Open: open, Commanded: newest.Commanded, Baseline: newest.Baseline, changes: newest.Changes,
		handedOver: newest.HandedOver,
	}
	switch {
	case open != nil && open.Act:
		r.pending = &written{want: open.Guarded}
	case newest.Act: // its outcome came before the next intent, which says what is commanded
		r.pending = &written{want: newest.Guarded}
	}
	if len(newest.Control) > 0 {
		if err := json.Unmarshal(newest.Control, &r.Control); err != nil {
			return Resume{}, fmt.Errorf("control state in the journal's intent of cycle %d: %w", newest.Cycle, err)
		}
	}
	var err error
	if r.evidence, err = readEvidence(newest.Evidence); err != nil {
		return Resume{}, fmt.Errorf("evidence in the journal's intent of cycle %d: %w", newest.Cycle, err)
	}
	r.evidence.resumed = true
	return r, nil
}

// Left returns what windvane may have left in force; without anything, that is not known.
func (r Resume) Left() []policy.Action {
	var out []policy.Action
	if r.Commanded != nil {
		out = append(out, r.Commanded)
	}
	if r.pending != nil {
		out = append(out, r.pending.want)
	}
	return out
}

// Released tells the loop that its settings were given back: none in force is its own.
func (l *Loop) Released() {
	l.commanded, l.baseline, l.pending = nil, nil, nil
	if l.open != nil {
		given := *l.open
		given.Act = false // what it wrote was given back
		l.open = &given
	}
}

// Report is what one cycle found and did.
type Report struct {
	Mesh       string
	At         time.Time
	Outcome    *journal.Outcome // of the cycle before; nil: there was none open
	Flagged    bool             // in its interval the fallback of a decision with nothing feasible was in force
	Intent     journal.Intent
	Problems   []observe.Problem // why signals are not valid
	Guard      string            // detail of the guard's refusal
	Err        error             // what failed in this cycle, joined; nil: nothing did
	Control    margin.Control    // after the cycle
	Shadows    []journal.ShadowAnswer
	Trials     []Trial     // of those, in the same order
	Steady     bool        // what was measured is of the settings in force
	Stages     []StageTime // those that there were
	RolledBack string      // why the canary decides for the last time; empty: it does not
	Demoted    string      // why windvane has lowered the mesh to observe in this cycle; empty: it has not
	Harm       float64     // how near the evidence is to that, from 0 to 1

	Verified *journal.Verified // nil: nothing could be judged
}

// Cycle runs one cycle at the given time. It does not fail: what could not be done
// is in the report, and led to a hold.
func (l *Loop) Cycle(ctx context.Context, at time.Time) Report {
	l.cycle++
	l.watch.reset()
	if l.evidence.Changed.After(at) {
		l.evidence.Changed = at // the clock was put back: it settles from now on
	}
	r := Report{Mesh: l.o.Mesh.Name, At: at}
	seen := l.observe(ctx, at)
	r.Problems = seen.Problems
	state, idle := l.renew(seen.State)
	live, err := l.live(ctx)
	r.fail(err)

	sources := l.allowed(at)

	drift := l.drift(live, authority.Effective(sources))
	l.leave(authority.Effective(sources), drift)
	l.follow(state, live, &r)
	residuals := l.residuals(state, live)
	l.newest, r.Steady = residuals, residuals != margin.Unsteady && !idle
	r.Outcome = l.verify(at, state, live, &r)
	sources = l.demote(at, sources, &r)

	intent := &r.Intent
	*intent = journal.Intent{
		Cycle: l.cycle, PolicyRole: journal.RoleNone, State: state, Live: live,
		Services: l.control.Hand(l.params, l.services, residuals), Limits: l.limits, Knobs: l.knobs, Guarded: live,
		Drift: drift, Steady: r.Steady,
	}
	l.aside(intent)
	l.pace(at, intent)
	l.backOff(intent)
	authorise(intent, sources)
	l.waiting(at, intent)
	switch {
	case live == nil:
		intent.Hold = HoldNoLive
	case idle:
		intent.Hold = HoldNothingNew
	case l.outOfBounds(live, &r):
		intent.Hold = HoldOutOfBounds
		l.handedOver = l.handedOver || len(drift) == 0 // who sets it within is not fought
	default:
		l.decide(ctx, at, residuals, &r)
		l.revert(at, &r)
		l.prepare(ctx, &r)
	}
	l.commit(ctx, at, &r)
	l.shadows(ctx, at, &r)
	r.Control, r.Harm, r.Stages = l.control, l.harmRatio(), l.watch.taken
	return r
}

func (l *Loop) observe(ctx context.Context, at time.Time) observe.Observation {
	defer l.watch.time(StageObserve)()
	return l.o.Observer.Observe(ctx, at)
}

func (l *Loop) live(ctx context.Context) (policy.Action, error) {
	defer l.watch.time(StageRead)()
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	live, said, err := l.o.Actuator.Live(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the settings in force: %w", err)
	}
	l.said = said
	return live, nil
}

func (r *Report) fail(err error) {
	r.Err = errors.Join(r.Err, err)
}
