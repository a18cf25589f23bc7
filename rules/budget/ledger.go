package budget

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Objective is what the ledger has to know of a promise.
type Objective struct {
	Service string
	Signal  string
	Budget  float64 // 1 - target, or its part of a shared budget
	Window  time.Duration
	Shared  string // name of the budget that it has a part of; empty: its own
}

// Shared is a budget that several objectives share.
type Shared struct {
	Name   string
	Budget float64 // 1 - the joint target: all its objectives hold in that share of intervals
	Window time.Duration
}

// Parts splits a shared budget by weights: equally, if they are equal. Intervals in
// which any of the objectives is broken are at most the sum of those in which each is,
// so that the joint target is kept if every part is.
func Parts(budget float64, weights []float64) []float64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	out := make([]float64, len(weights))
	for i, w := range weights {
		out[i] = budget * w / sum
	}
	return out
}

// Ledger holds the accounts of all objectives of a mesh. It is for one goroutine.
type Ledger struct {
	objectives []Objective
	shared     []Shared
	accounts   []*Account  // by objective
	index      map[key]int // of an objective
	at         time.Time   // last interval that was counted; zero: none
}

type key struct{ service, signal string }

// NewLedger returns a ledger without any interval.
func NewLedger(objectives []Objective, shared []Shared) *Ledger {
	l := &Ledger{shared: shared, index: map[key]int{}}
	for _, o := range objectives {
		l.open(o, NewAccount(o.Window))
	}
	return l
}

func (l *Ledger) open(o Objective, a *Account) {
	l.index[key{o.Service, o.Signal}] = len(l.objectives)
	l.objectives, l.accounts = append(l.objectives, o), append(l.accounts, a)
}

// Adopt takes over the accounts that another ledger has of the same services and
// signals: over a reload or a restart.
func (l *Ledger) Adopt(old *Ledger) {
	for i, o := range l.objectives {
		if a := old.find(o.Service, o.Signal); a != nil {
			l.accounts[i] = a.Rebase(o.Window)
		}
	}
	l.at = old.at
}

func (l *Ledger) find(service, signal string) *Account {
	i, ok := l.index[key{service, signal}]
	if !ok {
		return nil
	}
	return l.accounts[i]
}

// At returns the time of the interval that was counted last; zero: none was.
func (l *Ledger) At() time.Time { return l.at }

// Add counts one interval of an objective. What the ledger does not know of, and errors
// that cannot be, are errors and count as nothing.
func (l *Ledger) Add(service, signal string, at time.Time, e float64) error {
	a := l.find(service, signal)
	if a == nil {
		return fmt.Errorf("error budget: no objective on %s of %s", signal, service)
	}
	if err := a.Add(at, e); err != nil {
		return fmt.Errorf("%s of %s: %w", signal, service, err)
	}
	l.at = at
	return nil
}

// Report is where one objective stands.
type Report struct {
	Objective
	Rate    Rate     // over the objective's window
	Left    *float64 // share of the budget; below 0: overspent; nil: nothing was measured
	Burn    []Burn   // one for each of Windows
	Burning *Pair    // nil: no pair burns
}

// Burn is a burn rate.
type Burn struct {
	Window time.Duration
	Rate   *float64 // in budgets; nil: nothing was measured in the window
}

// Reports returns where each objective stands at a time, in the order of the objectives.
func (l *Ledger) Reports(at time.Time) []Report {
	out := make([]Report, 0, len(l.objectives))
	for i, o := range l.objectives {
		a := l.accounts[i]
		r := Report{Objective: o, Rate: a.Window(at), Burn: make([]Burn, 0, len(windows))}
		r.Left = known(r.Rate.Left(o.Budget))
		for _, w := range windows {
			r.Burn = append(r.Burn, Burn{w, known(a.Over(w, at).Burn(o.Budget))})
		}
		if p, ok := a.Burning(o.Budget, at); ok {
			r.Burning = &p
		}
		out = append(out, r)
	}
	return out
}

// SharedReport is where a shared budget stands.
type SharedReport struct {
	Shared
	Left *float64 // nil: an objective that shares it was not measured
}

// SharedReports returns where each shared budget stands, from the reports of the
// objectives. Bad intervals of its objectives are added up, so that one in which several
// are broken counts several times: the joint target is kept at least as well as this says.
func (l *Ledger) SharedReports(reports []Report) []SharedReport {
	out := make([]SharedReport, 0, len(l.shared))
	for _, s := range l.shared {
		bad, members := 0.0, 0
		for _, r := range reports {
			if r.Shared != s.Name {
				continue
			}
			ratio, ok := r.Rate.Ratio()
			if !ok {
				ratio = math.NaN()
			}
			bad += ratio
			members++
		}
		left := 1 - bad/s.Budget
		out = append(out, SharedReport{s, known(left, members > 0 && !math.IsNaN(left))})
	}
	return out
}

func known(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}

// entryJSON is one account on disk.
type entryJSON struct {
	Service string   `json:"service"`
	Signal  string   `json:"signal"`
	Account *Account `json:"account"`
}

type ledgerJSON struct {
	At       time.Time   `json:"at"`
	Accounts []entryJSON `json:"accounts"`
}

// MarshalJSON writes the accounts. What the objectives and their budgets are is not
// among them: the rules file says that.
func (l *Ledger) MarshalJSON() ([]byte, error) {
	out := ledgerJSON{At: l.at, Accounts: []entryJSON{}}
	for i, o := range l.objectives {
		out.Accounts = append(out.Accounts, entryJSON{o.Service, o.Signal, l.accounts[i]})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, for Adopt.
func (l *Ledger) UnmarshalJSON(b []byte) error {
	var in ledgerJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	out := Ledger{at: in.At, index: map[key]int{}}
	for _, e := range in.Accounts {
		if e.Account == nil {
			return fmt.Errorf("error budget: no account for %s of %s", e.Signal, e.Service)
		}
		out.open(Objective{Service: e.Service, Signal: e.Signal, Window: e.Account.window.window}, e.Account)
	}
	*l = out
	return nil
}
