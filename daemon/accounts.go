package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/budget"
)

// accounts are the error budgets of one mesh, and the file that they are in between two
// runs. They are for the goroutine of the mesh, except current.
type accounts struct {
	path    string
	ledger  *budget.Ledger
	saved   time.Time // ledger.At when it was written last
	tried   time.Time // ledger.At when that was tried last
	current atomic.Pointer[standing]
}

// standing is where the budgets are after a cycle.
type standing struct {
	objectives []budget.Report
	shared     []budget.SharedReport
}

// saveEvery is how much of the account a crash may leave to the journal to bring back.
const saveEvery = time.Minute

// openAccounts reads the accounts of a mesh, and adds what the journal has since they
// were written. They report and steer nothing: where they cannot be read they start
// anew, and the error says so.
func openAccounts(state string, m *rules.Mesh) (*accounts, error) {
	a := &accounts{path: filepath.Join(state, "budgets", m.Name+".json"), ledger: m.Ledger()}
	old, err := readLedger(a.path)
	if err == nil && old != nil {
		a.ledger.Adopt(old)
	}
	a.saved, a.tried = a.ledger.At(), a.ledger.At()
	unsaved := 2 + int(4*saveEvery/m.Interval) // twice what there may be, one that was woken in each interval included
	records, readErr := journal.Recent(JournalDirectory(state), unsaved, func(r journal.Record) bool {
		return r.Mesh == m.Name && r.Kind == journal.KindOutcome
	})
	if err = errors.Join(err, readErr); readErr != nil {
		return a, err
	}
	counted := 0 // the file has these; what comes after them is newer, unless the clock was put back
	for i, r := range records {
		if !r.At.After(a.saved) {
			counted = i + 1
		}
	}
	for _, r := range records[counted:] {
		var o journal.Outcome
		if decodeErr := r.Decode(&o); decodeErr != nil {
			return a, errors.Join(err, decodeErr)
		}
		a.add(&o, r.At)
	}
	return a, err
}

func readLedger(path string) (*budget.Ledger, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none yet
	}
	var l budget.Ledger
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("read the account of error budgets: %s: %w", path, err)
	}
	return &l, nil
}

// add counts the intervals of an outcome. Objectives that a reload removed are passed over.
func (a *accounts) add(o *journal.Outcome, at time.Time) {
	for _, e := range o.Errors {
		if e.Known {
			_ = a.ledger.Add(e.Service, e.Signal, at, e.Error)
		}
	}
}

// count takes up a cycle, and writes the accounts when they are due.
func (a *accounts) count(r *loop.Report) error {
	if r.Outcome != nil {
		a.add(r.Outcome, r.At)
	}
	s := &standing{objectives: a.ledger.Reports(r.At)}
	s.shared = a.ledger.SharedReports(s.objectives)
	a.current.Store(s)
	if a.ledger.At().Sub(a.tried).Abs() < saveEvery {
		return nil
	}
	return a.save()
}

// save writes what was counted since the last time.
func (a *accounts) save() error {
	if a.ledger.At().Equal(a.saved) {
		return nil
	}
	a.tried = a.ledger.At()
	b, err := json.Marshal(a.ledger)
	if err == nil {
		err = atomicfile.Write(a.path, b)
	}
	if err != nil {
		return fmt.Errorf("write the account of error budgets: %w", err)
	}
	a.saved = a.tried
	return nil
}

// fill adds where the budgets stand to a mesh's status.
func (s *standing) fill(out *api.Mesh) {
	for _, r := range s.objectives {
		for i := range out.Services {
			if out.Services[i].Name == r.Service {
				fillObjective(out.Services[i].Objectives, r)
			}
		}
	}
	for _, b := range s.shared {
		out.Budgets = append(out.Budgets, api.Budget{Name: b.Name, Budget: b.Budget, WindowSeconds: b.Window.Seconds(), Left: b.Left})
	}
}

func fillObjective(objectives []api.Objective, r budget.Report) {
	for i := range objectives {
		o := &objectives[i]
		if o.Signal != r.Signal {
			continue
		}
		o.WindowSeconds, o.Left, o.Shared, o.Burn = r.Window.Seconds(), r.Left, r.Shared, map[string]float64{}
		for _, b := range r.Burn {
			if b.Rate != nil {
				o.Burn[model.Duration(b.Window).String()] = *b.Rate
			}
		}
		if p := r.Burning; p != nil {
			o.Burning = fmt.Sprintf("%s and %s", model.Duration(p.Short), model.Duration(p.Long))
		}
	}
}
