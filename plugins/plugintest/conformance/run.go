package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// run is the state of a Check: one plugin, and what it answered.
type run struct {
	o           Options
	sockets     string // the directory of its sockets
	host        *host.Host
	output      *Tail
	description policy.Description
	samples     []policy.Observation
	known       []answer // to the samples, of the first time they were asked
	times       []time.Duration
}

// usualStart is how long a plugin may take to start where nothing else is said.
const usualStart = 10 * time.Second

// ready waits until the plugin is up.
func (r *run) ready(ctx context.Context) error {
	for end := time.Now().Add(r.o.StartTimeout); !r.host.Status().Up; {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("it is not up again within %s: %s", r.o.StartTimeout, r.host.Status().LastError)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// ask asks for one decision, within the deadline.
func (r *run) ask(ctx context.Context, o policy.Observation) answer {
	ctx, cancel := context.WithTimeout(ctx, r.o.Deadline)
	defer cancel()
	d, err := r.host.Decide(ctx, o)
	return answer{d, err}
}

// broken says what is wrong with an answer whatever was asked: that there is none in
// time, that it cannot be used, that the plugin ended or panicked. An error is right.
func (r *run) broken(a answer) error {
	invalid, isInvalid := errors.AsType[*host.InvalidAnswerError](a.err)
	switch {
	case a.err == nil:
		return nil
	case isInvalid:
		return fmt.Errorf("its answer cannot be used: %w", invalid.Err)
	case errors.Is(a.err, host.ErrDown):
		return fmt.Errorf("it ended: %s", r.fate())
	case errors.Is(a.err, context.DeadlineExceeded):
		return fmt.Errorf("it did not answer within %s", r.o.Deadline)
	case strings.Contains(a.err.Error(), "panic in "):
		return fmt.Errorf("it panicked: %w", a.err)
	}
	return nil
}

// fate is how the process ended; its host may learn of that a moment after the call.
func (r *run) fate() string {
	for range 200 {
		if s := r.host.Status(); !s.Up || s.Restarts > 0 && s.LastError != "" {
			return s.LastError
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "the connection broke"
}

// first answers are what those of later are compared with; they are asked for once.
func (r *run) first(ctx context.Context) []answer {
	for i := len(r.known); i < len(r.samples); i++ {
		if r.ready(ctx) != nil {
			break
		}
		begun := time.Now()
		r.known = append(r.known, r.ask(ctx, r.samples[i]))
		r.times = append(r.times, time.Since(begun))
	}
	return r.known
}

// again asks for known answers, in the given order, and says which are other ones.
func (r *run) again(ctx context.Context, order []int) error {
	known, errs := r.first(ctx), []error(nil)
	for _, i := range order {
		if i >= len(known) || ctx.Err() != nil {
			break
		}
		now := r.ask(ctx, r.samples[i])
		if err := r.broken(now); err != nil && r.broken(known[i]) == nil {
			errs = append(errs, fmt.Errorf("observation %d: %w", i, err))
			if err := r.ready(ctx); err != nil {
				return errors.Join(append(errs, err)...)
			}
			continue
		}
		if how := differs(known[i], now); how != "" {
			errs = append(errs, fmt.Errorf("observation %d: %s", i, how))
		}
	}
	return errors.Join(errs...)
}

func (r *run) start(ctx context.Context) (string, error) {
	began := time.Now()
	if err := r.host.Start(ctx); err != nil {
		if r.o.Config.Artefact == nil && strings.Contains(err.Error(), "configure:") {
			if d, is := r.host.Describe(ctx); is == nil && d.Artefact {
				return "", fmt.Errorf("%w; it decides with a trained artefact: name one", err)
			}
		}
		return "", err
	}
	took := time.Since(began)
	var err error
	if r.description, err = r.host.Describe(ctx); err != nil {
		return "", err
	}
	if r.description.Name == "" || r.description.Version == "" {
		return "", fmt.Errorf("it calls itself %q, version %q; neither may be empty", r.description.Name, r.description.Version)
	}
	return fmt.Sprintf("%s %s, up after %s", r.description.Name, r.description.Version, took.Round(time.Millisecond)), nil
}

func (r *run) settings(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.StartTimeout)
	defer cancel()
	var errs []error
	for _, settings := range []string{`{"no_such_setting": 1}`, `{`, `[]`} {
		bad := r.o.Config
		bad.Settings = []byte(settings)
		err := r.host.Configure(ctx, bad)
		switch {
		case err == nil:
			errs = append(errs, fmt.Errorf("the settings %s are taken", settings))
		case errors.Is(err, host.ErrDown):
			return "", fmt.Errorf("it ended over the settings %s: %s", settings, r.fate())
		case errors.Is(err, context.DeadlineExceeded):
			return "", fmt.Errorf("the settings %s get no answer within %s", settings, r.o.StartTimeout)
		}
	}
	if err := r.host.Configure(ctx, r.o.Config); err != nil {
		errs = append(errs, fmt.Errorf("after that, its own settings are refused: %w", err))
	}
	return "", errors.Join(errs...)
}

func (r *run) answers(ctx context.Context) (string, error) {
	var errs []error
	actions, abstained, refused, edited := 0, 0, 0, 0
	for i, a := range r.first(ctx) {
		if err := r.broken(a); err != nil {
			errs = append(errs, fmt.Errorf("observation %d: %w", i, err))
			continue
		}
		switch {
		case a.err != nil:
			refused++
		case a.Abstain:
			abstained++
		default:
			actions++
			if len(guard.Check(r.samples[i], a.Action).Edits) > 0 {
				edited++
			}
		}
	}
	switch first := r.known[0]; {
	case len(errs) > 0:
	case first.err != nil:
		errs = append(errs, fmt.Errorf("it refuses an observation that lacks nothing: %w", first.err))
	case actions == 0:
		errs = append(errs, fmt.Errorf("it has no action for any of %d observations", len(r.known)))
	}
	slices.Sort(r.times)
	note := fmt.Sprintf("%d observations: %d actions, %d abstentions, %d errors; p50 %s, at most %s of %s", len(r.known), actions,
		abstained, refused, short(r.times[len(r.times)/2]), short(r.times[len(r.times)-1]), r.o.Deadline)
	if edited > 0 {
		note += fmt.Sprintf("; the guard would edit %d: see Limits", edited)
	}
	return note, errors.Join(errs...)
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func (r *run) repeat(ctx context.Context) (string, error) {
	var order []int
	for i := range min(20, len(r.samples)) {
		order = append(order, i, i, i)
	}
	return "", r.again(ctx, order)
}

func (r *run) order(ctx context.Context) (string, error) {
	var order []int
	for i := range slices.Backward(r.samples) {
		order = append(order, i)
	}
	for i := 0; i < len(r.samples); i += 3 {
		order = append(order, i)
	}
	return "", r.again(ctx, order)
}

func (r *run) badState(ctx context.Context) (string, error) {
	var errs []error
	for _, odd := range oddities {
		o := copied(r.o.Observation)
		odd.change(&o)
		a := r.ask(ctx, o)
		if err := r.broken(a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", odd.name, err))
			if err := r.ready(ctx); err != nil {
				return "", errors.Join(append(errs, err)...)
			}
		} else if a.err == nil && odd.refuse {
			errs = append(errs, fmt.Errorf("%s: it gets %s, want an error", odd.name, inWords(a)))
		}
	}
	return fmt.Sprintf("%d observations", len(oddities)), errors.Join(errs...)
}

// noData asks with half of everything blocked, and nothing known.
func (r *run) noData(ctx context.Context) (string, error) {
	var errs []error
	said := ""
	for _, odd := range oddities[1:4] {
		o := copied(r.o.Observation)
		for i, k := range o.Knobs {
			if k.Kind == policy.Blocking {
				o.Live[i].Value = (k.Min + k.Max) / 2
			}
		}
		odd.change(&o)
		a := r.ask(ctx, o)
		if err := r.broken(a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", odd.name, err))
			continue
		}
		said = inWords(a)
		for _, c := range policy.Diff(o.Live, a.Action, policy.WeightTolerance) {
			if c.Kind != policy.Weight && c.To < c.From {
				errs = append(errs, fmt.Errorf("%s: it lowers %s from %v to %v", odd.name, c.KnobID, c.From, c.To))
			}
		}
	}
	return "answers with " + said, errors.Join(errs...)
}

// cutShort gives calls less time than they need.
func (r *run) cutShort(ctx context.Context) (string, error) {
	const cuts = 20
	r.first(ctx)
	for i := range cuts {
		limit := r.times[0] * time.Duration(i) / cuts
		call, cancel := context.WithTimeout(ctx, max(limit, 50*time.Microsecond))
		_, _ = r.host.Decide(call, r.samples[i%len(r.samples)]) // whatever comes of it
		cancel()
	}
	return fmt.Sprintf("%d calls", cuts), r.again(ctx, []int{0, 1, 2})
}

func (r *run) export(ctx context.Context) (string, error) {
	if !r.description.Exports {
		return "", errSkipped{"it does not export a table"}
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.StartTimeout)
	defer cancel()
	most := 0
	for _, rows := range []int{1, 20} {
		t, err := r.host.Export(ctx, rows)
		if err != nil {
			return "", err
		}
		most = len(t.Rows)
	}
	return fmt.Sprintf("%d rows", most), nil
}
