package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// HistoryPoints bounds the cycles of a History.
const HistoryPoints = 2000

// History is what the journal has of one service over time, oldest first. Its columns are as
// long as At; null: not known.
type History struct {
	Mesh       string          `json:"mesh"`
	Service    string          `json:"service"`
	At         []time.Time     `json:"at"`
	Offered    []*float64      `json:"offered"`  // requests/s
	Carried    []*float64      `json:"carried"`  // requests/s
	Blocking   []*float64      `json:"blocking"` // in force when it was decided, 0 to 1
	Objectives []ObjectiveOver `json:"objectives"`
	Marks      []Mark          `json:"marks"`
	Complete   bool            `json:"complete"` // false: there is more of that time than is read for one answer
}

// ObjectiveOver is an objective over time, in the signal's unit. Bound is the newest.
type ObjectiveOver struct {
	Signal   string     `json:"signal"`
	Bound    float64    `json:"bound,omitempty"` // seconds; latency only
	Value    []*float64 `json:"value"`
	Expected []*float64 `json:"expected"` // what was predicted of Value, for the settings that were in force; null: nothing was
	Margin   []*float64 `json:"margin"`
}

// Mark is something that happened.
type Mark struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`               // change, hold, fallback, alert, role, release or note
	Decision uint64    `json:"decision,omitempty"` // ID of the decision that it is of
	Text     string    `json:"text"`

	Changes []policy.Change `json:"changes,omitempty"` // of settings of the service, or of workloads
}

// serviceCycles bounds, with many services, how many cycles a History is of: an intent is of all
// of them.
const serviceCycles = 100_000

// ServiceHistory reads what the journal has of a service from the mesh's newest cycle back over
// a span of time; services is how many the mesh has. ErrNotFound: the mesh has no such service
// there.
func ServiceHistory(ctx context.Context, dir, mesh, service string, services int, span time.Duration) (*History, error) {
	h := &history{out: &History{Mesh: mesh, Service: service, Objectives: []ObjectiveOver{}, Marks: []Mark{}}}
	found, complete, err := recent(ctx, dir, mesh, min(HistoryPoints, max(60, serviceCycles/max(services, 1))), span)
	h.out.Complete = complete
	for _, r := range slices.Backward(found) {
		if err == nil {
			err = errors.Join(ctx.Err(), h.add(r))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("history of service %s: %w", service, err)
	}
	if !h.known {
		return nil, fmt.Errorf("service %s of mesh %s: %w", service, mesh, ErrNotFound)
	}
	return h.finish(), nil
}

// recent returns the records of a mesh that a history is made of, oldest first, and whether they
// are all that there are of the span.
func recent(ctx context.Context, dir, mesh string, cycles int, span time.Duration) (found []journal.Record, complete bool, err error) {
	of := func(r journal.Record) bool { return r.Mesh == mesh && slices.Contains(historic, r.Kind) }
	var newest time.Time
	n, size, complete := 0, 0, true
	for r, err := range journal.Backwards(dir, 0) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, false, err
		}
		if !of(r) {
			continue
		}
		if newest.IsZero() {
			newest = r.At
		}
		if newest.Sub(r.At) > span {
			break
		}
		if r.Kind == journal.KindIntent {
			cycles--
		}
		if size += len(r.Body); size > pageBytes || cycles < 0 {
			complete = false
			break
		}
		n++
	}
	found, err = journal.Last(dir, n, of)
	return found, complete, err
}

// historic are the kinds of records that a history is made of.
var historic = []string{journal.KindIntent, journal.KindOutcome, journal.KindRole, journal.KindRelease, journal.KindNote}

// history is one in the making, newest first. What begins with a cycle is known when the one
// before it is read.
type history struct {
	out    *History
	known  bool
	cycle  uint64          // of the last point
	later  *journal.Intent // that of the last point
	laterR journal.Record
}

func (h *history) add(r journal.Record) error {
	switch r.Kind {
	case journal.KindIntent:
		var i journal.Intent
		if err := r.Decode(&i); err != nil {
			return err
		}
		h.began(&i)
		h.point(r, &i)
		h.later, h.laterR = &i, r
	case journal.KindOutcome:
		var o journal.Outcome
		if err := r.Decode(&o); err != nil {
			return err
		}
		h.expected(&o)
	case journal.KindRole:
		var c journal.RoleChange
		if err := r.Decode(&c); err != nil {
			return err
		}
		h.mark(Mark{At: r.At, Kind: "role", Text: fmt.Sprintf("%s of policy %s by %s: %s", c.Command, c.Policy, c.By, c.Reason)})
	case journal.KindRelease:
		h.mark(Mark{At: r.At, Kind: "release", Text: "the settings were given back"})
	case journal.KindNote:
		var n journal.Note
		if err := r.Decode(&n); err != nil {
			return err
		}
		h.mark(Mark{At: r.At, Kind: "note", Text: n.Message})
	}
	return nil
}

func (h *history) mark(m Mark) { h.out.Marks = append(h.out.Marks, m) }

// point adds what a cycle saw of the service.
func (h *history) point(r journal.Record, i *journal.Intent) {
	h.cycle = i.Cycle
	at := slices.IndexFunc(i.Services, func(s policy.Service) bool { return s.Name == h.out.Service })
	out := h.out
	out.At = append(out.At, r.At)
	out.Offered = append(out.Offered, valid(i.State.Role(out.Service, policy.RoleOffered)))
	out.Carried = append(out.Carried, valid(i.State.Role(out.Service, policy.RoleCarried)))
	var blocking *float64
	if v, ok := i.Live.Get(policy.KnobID{Kind: policy.Blocking, Target: out.Service}); ok {
		blocking = &v
	}
	out.Blocking = append(out.Blocking, blocking)
	n := len(out.At)
	if at >= 0 {
		h.known = true
		for _, o := range i.Services[at].Objectives {
			x := h.objective(o)
			x.pad(n - 1)
			on := marginOn(i, out.Service, o)
			x.Value, x.Margin, x.Expected = append(x.Value, valid(i.State.Find(out.Service, o.Signal))), append(x.Margin, &on), append(x.Expected, nil)
		}
	}
	if changed := h.changed(i); len(changed) > 0 {
		h.mark(Mark{At: r.At, Kind: "change", Decision: r.Seq, Text: changes(changed), Changes: changed})
	}
}

// marginOn is the margin on what was expected of the settings in force.
func marginOn(i *journal.Intent, service string, o policy.Objective) float64 {
	if o.Margin <= 0 || i.Decision == nil {
		return o.Margin
	}
	for _, x := range i.Decision.ExpectedLive {
		if x.Service == service && x.Signal == o.Signal {
			return o.Margin * x.ErrorScale()
		}
	}
	return o.Margin
}

// objective is the column of one; there is one from now on.
func (h *history) objective(o policy.Objective) *ObjectiveOver {
	for k := range h.out.Objectives {
		if h.out.Objectives[k].Signal == o.Signal {
			return &h.out.Objectives[k]
		}
	}
	h.out.Objectives = append(h.out.Objectives, ObjectiveOver{Signal: o.Signal, Bound: o.Bound})
	return &h.out.Objectives[len(h.out.Objectives)-1]
}

// pad fills up columns with what is not known.
func (x *ObjectiveOver) pad(n int) {
	for _, c := range []*[]*float64{&x.Value, &x.Expected, &x.Margin} {
		for len(*c) < n {
			*c = append(*c, nil)
		}
	}
}

// changed is what a cycle set that is about the service.
func (h *history) changed(i *journal.Intent) []policy.Change {
	if !i.Act {
		return nil
	}
	of := map[policy.KnobID]bool{}
	for _, k := range i.Knobs {
		of[k.KnobID] = k.Service == h.out.Service || k.Kind == policy.Replicas
	}
	return slices.DeleteFunc(slices.Clone(i.Plan), func(c policy.Change) bool { return !of[c.KnobID] })
}

// began marks what the last point's cycle began: the cycle before it did not have it.
func (h *history) began(before *journal.Intent) {
	i := h.later
	if i == nil {
		return
	}
	at, id := h.laterR.At, h.laterR.Seq
	if i.Hold != "" && i.Hold != before.Hold {
		h.mark(Mark{At: at, Kind: "hold", Decision: id, Text: HoldText(i.Hold)})
	}
	if i.FallbackReason != "" && before.FallbackReason == "" {
		h.mark(Mark{At: at, Kind: "fallback", Decision: id, Text: i.FallbackReason})
	}
	for _, a := range i.Alerts {
		if !slices.ContainsFunc(before.Alerts, func(x journal.Alert) bool { return x.Fingerprint == a.Fingerprint }) {
			h.mark(Mark{At: a.StartsAt, Kind: "alert", Decision: id, Text: a.Name})
		}
	}
}

// expected adds what was predicted of the last point, by the outcome of the cycle before it.
func (h *history) expected(o *journal.Outcome) {
	n := len(h.out.At)
	if n == 0 || o.Cycle+1 != h.cycle {
		return
	}
	for _, e := range o.Errors {
		if e.Service != h.out.Service || e.Expected == 0 {
			continue
		}
		for k := range h.out.Objectives {
			if x := &h.out.Objectives[k]; x.Signal == e.Signal && len(x.Expected) == n {
				v := e.Expected
				x.Expected[n-1] = &v
			}
		}
	}
}

// finish turns it around.
func (h *history) finish() *History {
	out := h.out
	n := len(out.At)
	slices.Reverse(out.At)
	for _, c := range [][]*float64{out.Offered, out.Carried, out.Blocking} {
		slices.Reverse(c)
	}
	for k := range out.Objectives {
		x := &out.Objectives[k]
		x.pad(n)
		for _, c := range [][]*float64{x.Value, x.Expected, x.Margin} {
			slices.Reverse(c)
		}
	}
	slices.SortStableFunc(out.Marks, func(a, b Mark) int { return a.At.Compare(b.At) })
	return out
}
