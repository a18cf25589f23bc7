package api

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// Status is what /api/v1/status answers.
type Status struct {
	Version     string    `json:"version"`
	StartedAt   time.Time `json:"started_at"`
	ConfigFile  string    `json:"config_file"`
	ReloadError string    `json:"reload_error,omitempty"` // of the last reload; empty: it succeeded
	Meshes      []Mesh    `json:"meshes"`
}

// Mesh is the state of one mesh after its last cycle.
type Mesh struct {
	Name            string          `json:"name"`
	Authority       string          `json:"authority"` // in force now
	IntervalSeconds float64         `json:"interval_seconds"`
	Cycle           uint64          `json:"cycle"`       // 0: there was none yet
	At              *time.Time      `json:"at"`          // of the last cycle; null: there was none yet
	AgeSeconds      *float64        `json:"age_seconds"` // since the last cycle ended, by the wall clock; null: there was none yet
	Sentence        string          `json:"sentence"`    // what is done now, and why
	Policy          string          `json:"policy"`
	PolicyRole      string          `json:"policy_role"`
	FallbackReason  string          `json:"fallback_reason,omitempty"`
	Hold            string          `json:"hold,omitempty"`   // why nothing was changed
	Frozen          string          `json:"frozen,omitempty"` // why nothing but raising blocking was admitted
	Reason          string          `json:"reason,omitempty"`
	Plan            []policy.Change `json:"plan"`
	Applied         bool            `json:"applied"` // the plan was, or is about to be, written
	Problems        []string        `json:"problems"`
	Error           string          `json:"error,omitempty"` // what failed in the last cycle
	Services        []Service       `json:"services"`
	Budgets         []Budget        `json:"budgets"`
	Plugins         []Plugin        `json:"plugins"`
	AuthorityState
	VerifyState
	AlertState

	Shadows     []journal.ShadowAnswer `json:"shadows,omitempty"`     // of the last cycle
	Exploration *Exploration           `json:"exploration,omitempty"` // null: nobody asked for one
}

// Budget is an error budget that several objectives share.
type Budget struct {
	Name          string   `json:"name"`
	Budget        float64  `json:"budget"` // allowed share of intervals in which any of them is broken
	WindowSeconds float64  `json:"window_seconds"`
	Left          *float64 `json:"left_ratio"` // null: one of the objectives was not measured
}

// Service is what is known of one service.
type Service struct {
	Name       string      `json:"name"`
	Offered    *float64    `json:"offered"` // requests/s; null: not known
	Carried    *float64    `json:"carried"` // requests/s; null: not known
	Blocking   *float64    `json:"blocking"`
	Objectives []Objective `json:"objectives"`
}

// Objective is how one promise is kept.
type Objective struct {
	Signal    string   `json:"signal"`
	Value     *float64 `json:"value"` // null: not known
	Status    string   `json:"status"`
	Bound     float64  `json:"bound,omitempty"` // seconds; latency only
	Budget    float64  `json:"budget"`          // allowed share of bad intervals
	Violated  *float64 `json:"violated_ratio"`  // measured share; null: no interval was measured
	Intervals int      `json:"intervals"`       // measured ones
	// Of these, the ones in which no action met every objective under its margin, so that
	// what the policy sheds then was in force.
	Infeasible int      `json:"infeasible_intervals"`
	Unmet      *float64 `json:"infeasible_violated_ratio"` // share of them that was violated; null: there were none
	Margin     float64  `json:"margin"`
	Debt       float64  `json:"debt"` // bad intervals beyond the budget, offset by the calibrated margin

	RiskBias   *float64 `json:"risk_bias"`  // mean of errors less the risks that were expected of them; null: none was
	Calibrated bool     `json:"calibrated"` // the risks may be priced

	WindowSeconds float64            `json:"window_seconds"`
	Left          *float64           `json:"left_ratio"`        // share of the budget left over the window; below 0: overspent; null: not measured
	Burn          map[string]float64 `json:"burn_rates"`        // in budgets, by window as in "1h"; without the windows in which nothing was measured
	Burning       string             `json:"burning,omitempty"` // windows over which it burns too fast, as in "5m and 1h"
	Shared        string             `json:"shared,omitempty"`  // name of the budget that it has a part of
}

// Plugin is the process of one policy.
type Plugin struct {
	Policy      string `json:"policy"`
	Up          bool   `json:"up"`
	Quarantined bool   `json:"quarantined"`
	Restarts    int    `json:"restarts"`
	LastError   string `json:"last_error,omitempty"`
	PID         int    `json:"pid"`
}

// WriteText writes the status for a person.
func (s Status) WriteText(w io.Writer) error {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "windvane %s, running since %s, %s\n", s.Version, s.StartedAt.Format(time.RFC3339), s.ConfigFile)
	if s.ReloadError != "" {
		_, _ = fmt.Fprintf(&b, "the last reload failed, the old configuration is in force: %s\n", s.ReloadError)
	}
	for _, m := range s.Meshes {
		m.writeText(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m Mesh) writeText(b *strings.Builder) {
	_, _ = fmt.Fprintf(b, "\nmesh %s   authority %s", m.Name, m.Authority)
	if m.At == nil {
		_, _ = fmt.Fprintf(b, "   no cycle yet\n")
		return
	}
	_, _ = fmt.Fprintf(b, "   cycle %d at %s\n", m.Cycle, m.At.Format(time.RFC3339))
	for _, l := range slices.Concat(m.SourceLines(), m.lines(), m.explorationLines(), m.VerifyLines(), m.planLines(), m.alertLines()) {
		_, _ = fmt.Fprintf(b, "  %s\n", l)
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "\n  SERVICE\tOFFERED\tCARRIED\tBLOCKED\tOBJECTIVE\tNOW\tBOUND\tVIOLATED\tBUDGET\tLEFT\tMARGIN\n")
	for _, s := range m.Services {
		head := fmt.Sprintf("  %s\t%s\t%s\t%s", s.Name, number(s.Offered, "%.1f/s"), number(s.Carried, "%.1f/s"), percent(s.Blocking))
		for _, o := range s.Objectives {
			bound := "-"
			if o.Bound > 0 {
				bound = fmt.Sprintf("%.4gms", 1000*o.Bound)
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.3g%%\t%s\t%+.0f%%\n", head, o.Signal, o.now(), bound, percent(o.Violated), 100*o.Budget, percent(o.Left), 100*o.Margin)
			head = "  \t\t\t"
		}
		if len(s.Objectives) == 0 {
			_, _ = fmt.Fprintf(t, "%s\tnone\t\t\t\t\t\t\n", head)
		}
	}
	_ = t.Flush() // a strings.Builder does not fail
	m.writeBudgets(b)
	for _, p := range m.Plugins {
		_, _ = fmt.Fprintf(b, "  plugin %s: %s\n", p.Policy, p.text())
	}
}

// writeBudgets says which budgets burn too fast, which could not be kept, and where the
// shared ones stand.
func (m Mesh) writeBudgets(b *strings.Builder) {
	for _, s := range m.Services {
		for _, o := range s.Objectives {
			if o.Burning != "" {
				_, _ = fmt.Fprintf(b, "  %s of %s burns its budget too fast, over %s\n", o.Signal, s.Name, o.Burning)
			}
			if o.Infeasible > 0 {
				_, _ = fmt.Fprintf(b, "  %s of %s: nothing was feasible in %d of %d intervals, of which %s violated\n",
					o.Signal, s.Name, o.Infeasible, o.Intervals, percent(o.Unmet))
			}
		}
	}
	for _, x := range m.Budgets {
		_, _ = fmt.Fprintf(b, "  budget %s of %.3g%%, shared: %s left\n", x.Name, 100*x.Budget, percent(x.Left))
	}
}

// lines says who decided what, and why nothing was done.
func (m Mesh) lines() []string {
	var out []string
	who := "no policy decided"
	if m.Policy != "" {
		who = fmt.Sprintf("policy %s (%s)", m.Policy, m.PolicyRole)
	}
	if m.Reason != "" {
		who += ": " + m.Reason
	}
	out = append(out, who)
	if m.FallbackReason != "" {
		out = append(out, "the active policy did not decide: "+m.FallbackReason)
	}
	if m.Frozen != "" {
		out = append(out, "nothing but raising blocking is admitted: "+m.Frozen)
	}
	switch {
	case m.Hold != "":
		code, _, _ := strings.Cut(m.Hold, " ") // a detail may be behind it
		out = append(out, "hold: "+m.Hold+": "+explain.HoldText(code))
	case len(m.Plan) == 0:
		out = append(out, "nothing to change")
	case m.Applied:
		out = append(out, "applied:")
	default:
		out = append(out, "planned, not applied (authority "+m.Authority+"):")
	}
	for _, c := range m.Plan {
		out = append(out, fmt.Sprintf("  %s from %.4g to %.4g", c.KnobID, c.From, c.To))
	}
	for _, p := range m.Problems {
		out = append(out, "signal: "+p)
	}
	for _, a := range m.Shadows {
		out = append(out, "shadow "+a.Line())
	}
	if m.Error != "" {
		out = append(out, "failed: "+strings.ReplaceAll(m.Error, "\n", "; "))
	}
	return out
}

func (o Objective) now() string {
	switch {
	case o.Value == nil:
		return o.Status
	case o.Bound > 0:
		return fmt.Sprintf("%.4gms", 1000**o.Value)
	}
	return percent(o.Value)
}

func (p Plugin) text() string {
	switch {
	case p.Quarantined:
		return "in quarantine; mend it, and reload: " + p.LastError
	case !p.Up:
		return "down: " + p.LastError
	}
	return fmt.Sprintf("up, process %d, %d restarts", p.PID, p.Restarts)
}

func number(v *float64, format string) string {
	if v == nil {
		return "unknown"
	}
	return fmt.Sprintf(format, *v)
}

func percent(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.1f%%", 100**v)
}
