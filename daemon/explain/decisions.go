package explain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// ErrNotFound says that the journal has no such decision.
var ErrNotFound = errors.New("the journal has no such decision, or not any more")

const (
	// pageBytes bounds the records that are read for one page, which is what it costs.
	pageBytes = 64 << 20

	// outcomeAhead is how many records behind an intent its outcome is looked for: with each
	// of fifty meshes leaving two records a cycle there are a hundred in between.
	outcomeAhead = 200

	// wordsLimit bounds the changes that a line names.
	wordsLimit = 3
)

// Query asks for decisions.
type Query struct {
	Mesh   string    // empty: of all
	Limit  int       // at most so many, at least 1
	Before uint64    // with lower IDs only; 0: from the newest on
	Since  time.Time // not older; zero: as far as the journal goes
}

// Decision is one cycle in short.
type Decision struct {
	ID        uint64          `json:"id"` // seq of its intent in the journal
	At        time.Time       `json:"at"`
	Mesh      string          `json:"mesh"`
	Cycle     uint64          `json:"cycle"`
	Authority string          `json:"authority"`
	Policy    string          `json:"policy"`
	Role      string          `json:"policy_role"`
	Fallback  string          `json:"fallback_reason,omitempty"`
	Hold      string          `json:"hold,omitempty"`   // reason code of doing nothing
	Changes   []policy.Change `json:"changes"`          // the plan
	Applied   bool            `json:"applied"`          // the plan was, or is about to be, written
	Edits     int             `json:"edits"`            // settings that the guard changed
	Frozen    string          `json:"frozen,omitempty"` // why nothing but raising blocking was admitted
	Pending   string          `json:"pending,omitempty"`
	Approved  string          `json:"approved_by,omitempty"`
	Summary   string          `json:"summary"`          // what was changed, or why nothing was
	Result    string          `json:"result,omitempty"` // of the outcome; left out: there is none yet
	Measured  int             `json:"measured"`         // objectives that were measured afterwards
	Broken    int             `json:"broken"`           // of them
}

// ParseSince reads a point in time: RFC 3339, or a duration before now, such as 90m or 7d.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if d, err := model.ParseDuration(s); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("%q is neither a time such as 2026-01-02T15:04:05Z nor a duration such as 90m or 7d", s)
	}
	return at, nil
}

// outcomes are results by mesh and cycle.
type outcomes map[outcomeKey]journal.Outcome

type outcomeKey struct {
	mesh  string
	cycle uint64
}

// Decisions returns a page of decisions, newest first, and what to ask for as Before to go
// on; 0: there are no more. It reads a bounded part of the journal, so that a page may be
// short, even empty, and yet not be the last.
func Decisions(ctx context.Context, dir string, q Query) (found []Decision, next uint64, err error) {
	return decisions(ctx, dir, q, pageBytes)
}

func decisions(ctx context.Context, dir string, q Query, most int) (found []Decision, next uint64, err error) {
	found = []Decision{}
	came, size := outcomes{}, 0
	for r, err := range journal.Backwards(dir, ahead(q.Before)) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, 0, fmt.Errorf("decisions: %w", err)
		}
		if q.Mesh == "" || r.Mesh == q.Mesh {
			if err := came.add(r); err != nil {
				return nil, 0, fmt.Errorf("decisions: %w", err)
			}
		}
		if q.Before > 0 && r.Seq >= q.Before {
			continue
		}
		if r.At.Before(q.Since) {
			return found, 0, nil
		}
		if r.Kind == journal.KindIntent && (q.Mesh == "" || r.Mesh == q.Mesh) {
			if len(found) == q.Limit {
				return found, found[len(found)-1].ID, nil
			}
			d, err := decision(r, came)
			if err != nil {
				return nil, 0, fmt.Errorf("decisions: %w", err)
			}
			found = append(found, d)
		}
		if size += len(r.Body); size > most {
			return found, r.Seq, nil
		}
	}
	return found, 0, nil
}

// ahead is the seq from which on to read backwards for all that came of what is before seq.
func ahead(seq uint64) uint64 {
	if seq == 0 || seq > math.MaxUint64-outcomeAhead {
		return 0
	}
	return seq + outcomeAhead
}

func (o outcomes) add(r journal.Record) error {
	if r.Kind != journal.KindOutcome {
		return nil
	}
	var x journal.Outcome
	if err := r.Decode(&x); err != nil {
		return err
	}
	o[outcomeKey{r.Mesh, x.Cycle}] = x
	return nil
}

// decision puts an intent in short. Its parts are not needed.
func decision(r journal.Record, came outcomes) (Decision, error) {
	var i journal.Intent
	if err := r.Decode(&i); err != nil {
		return Decision{}, err
	}
	d := Decision{
		ID: r.Seq, At: r.At, Mesh: r.Mesh, Cycle: i.Cycle, Authority: i.Authority, Policy: i.Policy, Role: i.PolicyRole,
		Fallback: i.FallbackReason, Hold: i.Hold, Changes: i.Plan, Applied: i.Act, Edits: len(i.Edits), Frozen: i.Frozen, Pending: i.Pending,
	}
	if d.Changes == nil {
		d.Changes = []policy.Change{}
	}
	if i.Approval != nil {
		d.Approved = i.Approval.By
	}
	d.Summary = summary(d)
	o, ok := came[outcomeKey{r.Mesh, i.Cycle}]
	if !ok {
		return d, nil
	}
	delete(came, outcomeKey{r.Mesh, i.Cycle})
	d.Result = o.Result
	for _, x := range o.Errors {
		if x.Known {
			d.Measured++
			if x.Error > 0 {
				d.Broken++
			}
		}
	}
	return d, nil
}

// summary says in a line what was changed, or why nothing was.
func summary(d Decision) string {
	what := changes(d.Changes)
	switch {
	case d.Hold != "":
		short, _, _ := strings.Cut(HoldText(d.Hold), ":")
		return "held: " + short
	case len(d.Changes) == 0 && d.Edits > 0 && d.Frozen != "":
		return "nothing that is admitted now: " + d.Frozen
	case len(d.Changes) == 0:
		return "nothing to change"
	case d.Pending != "":
		return "waits for approval as " + d.Pending + ": " + what
	case d.Approved != "":
		return "approved by " + d.Approved + ": " + what
	case !d.Applied:
		return "would set " + what
	}
	return "set " + what
}

func changes(all []policy.Change) string {
	var words []string
	for _, c := range all[:min(len(all), wordsLimit)] {
		words = append(words, fmt.Sprintf("%s from %.4g to %.4g", c.KnobID, c.From, c.To))
	}
	if n := len(all) - wordsLimit; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}

// WriteDecisions writes one line for each decision, for a person.
func WriteDecisions(w io.Writer, all []Decision) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(t, "TIME\tCYCLE\tMESH\tPOLICY\tAUTHORITY\tDECISION\tRESULT")
	for _, d := range all {
		if err == nil {
			_, err = fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", d.At.Format(time.RFC3339), d.Cycle, d.Mesh, d.who(), d.Authority, d.Summary, d.came())
		}
	}
	return errors.Join(err, t.Flush())
}

func (d Decision) who() string {
	if d.Policy == "" {
		return "none"
	}
	return d.Policy + " (" + d.Role + ")"
}

func (d Decision) came() string {
	if d.Result == "" {
		return "not known yet"
	}
	words := strings.ReplaceAll(d.Result, "_", " ") + ", "
	if d.Result == journal.ResultNotApplied && !d.Applied { // nothing was to be
		words = ""
	}
	switch {
	case d.Measured == 0:
		return words + "nothing measured"
	case d.Broken > 0:
		return fmt.Sprintf("%s%d of %d objectives broken", words, d.Broken, d.Measured)
	}
	return words + "objectives kept"
}

// ByID finds a decision by the seq of its intent.
func ByID(dir string, id uint64) (*Explanation, error) {
	r, found, err := journal.Find(dir, id)
	if err != nil {
		return nil, fmt.Errorf("explain decision %d: %w", id, err)
	}
	if !found || r.Kind != journal.KindIntent {
		return nil, fmt.Errorf("decision %d: %w; `windvane decisions` lists them", id, ErrNotFound)
	}
	return complete(dir, r)
}

// complete finds what came of an intent.
func complete(dir string, r journal.Record) (*Explanation, error) {
	out := &Explanation{Mesh: r.Mesh, At: r.At, Seq: r.Seq}
	if err := r.Decode(&out.Intent); err != nil {
		return nil, err
	}
	came := outcomes{}
	var shadows []journal.Record
	for later, err := range journal.Backwards(dir, ahead(r.Seq)) {
		if err != nil {
			return nil, fmt.Errorf("what came of decision %d: %w", r.Seq, err)
		}
		if later.Seq <= r.Seq {
			break
		}
		if later.Mesh != r.Mesh {
			continue
		}
		if err := came.add(later); err != nil {
			return nil, err
		}
		if later.Kind == journal.KindShadow {
			shadows = append(shadows, later)
		}
	}
	if o, ok := came[outcomeKey{r.Mesh, out.Intent.Cycle}]; ok {
		out.Outcome = &o
	}
	out.addShadows(shadows)
	out.Alternatives, out.Effects = out.considered(), out.effects()
	return out, nil
}
