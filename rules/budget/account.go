package budget

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Parts of a window. A window is exact to one part, which it may reach further back.
const (
	burnParts   = 30
	windowParts = 60
)

// Account counts the errors of one objective over its window and over those of the burn
// rates. The zero value is not usable: see NewAccount. It is for one goroutine.
type Account struct {
	window ring   // the objective's
	burn   []ring // in the order of windows
}

// NewAccount returns an account without any interval, for an objective with the given
// window.
func NewAccount(window time.Duration) *Account {
	a := &Account{window: newRing(window, windowParts)}
	for _, w := range windows {
		a.burn = append(a.burn, newRing(w, burnParts))
	}
	return a
}

// Add counts one interval that ended at a time, with its error in [0,1]. An interval in
// which nothing was measured must not be added: it is neither good nor bad. An error
// that is not in [0,1] is refused.
func (a *Account) Add(at time.Time, e float64) error {
	if !(e >= 0 && e <= 1) {
		return fmt.Errorf("error budget: an error of %v, want 0 to 1", e)
	}
	a.window.add(at, e)
	for i := range a.burn {
		a.burn[i].add(at, e)
	}
	return nil
}

// Rebase returns the account for another window of the objective: what was counted over
// the objective's own window is lost, unless it is the same.
func (a *Account) Rebase(window time.Duration) *Account {
	if a.window.window == window {
		return a
	}
	return &Account{window: newRing(window, windowParts), burn: a.burn}
}

// Rate is a share of bad intervals.
type Rate struct {
	Bad       float64 // sum of the errors
	Intervals float64 // that were measured
}

// Ratio returns the mean error, and whether there is one: without intervals it is
// unknown, not zero.
func (r Rate) Ratio() (float64, bool) {
	if r.Intervals <= 0 {
		return 0, false
	}
	return r.Bad / r.Intervals, true
}

// Burn returns the burn rate: the mean error in units of the budget. At 1 the budget is
// spent exactly when its window ends.
func (r Rate) Burn(budget float64) (float64, bool) {
	ratio, ok := r.Ratio()
	if !ok || !(budget > 0) {
		return 0, false
	}
	return ratio / budget, true
}

// Left returns the share of an error budget that is left: 1 if nothing was bad, 0 if it
// is spent, below 0 if it is overspent.
func (r Rate) Left(budget float64) (float64, bool) {
	burn, ok := r.Burn(budget)
	return 1 - burn, ok
}

// Window returns the rate over the objective's window that ends at a time.
func (a *Account) Window(at time.Time) Rate {
	bad, total := a.window.sum(at)
	return Rate{bad, total}
}

// Over returns the rate over one of Windows that ends at a time; of any other window it
// is unknown.
func (a *Account) Over(window time.Duration, at time.Time) Rate {
	for i := range a.burn {
		if a.burn[i].window == window {
			bad, total := a.burn[i].sum(at)
			return Rate{bad, total}
		}
	}
	return Rate{}
}

// accountJSON is an account on disk.
type accountJSON struct {
	Window ring   `json:"window"`
	Burn   []ring `json:"burn"`
}

// MarshalJSON writes the account with all it has counted.
func (a *Account) MarshalJSON() ([]byte, error) {
	return json.Marshal(accountJSON{a.window, a.burn})
}

// UnmarshalJSON reads what MarshalJSON wrote. It refuses counts that cannot be.
func (a *Account) UnmarshalJSON(b []byte) error {
	var in accountJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("error budget: %w", err)
	}
	if len(in.Window.bad) != 1+windowParts {
		return fmt.Errorf("error budget: %d buckets, want %d", len(in.Window.bad), 1+windowParts)
	}
	out := NewAccount(in.Window.window)
	if len(in.Burn) != len(out.burn) {
		return fmt.Errorf("error budget: %d windows of burn rates, want %d", len(in.Burn), len(out.burn))
	}
	for i, r := range in.Burn {
		if r.window != out.burn[i].window || len(r.bad) != len(out.burn[i].bad) {
			return fmt.Errorf("error budget: a window of %s with %d buckets", model.Duration(r.window), len(r.bad))
		}
	}
	a.window, a.burn = in.Window, in.Burn
	return nil
}
