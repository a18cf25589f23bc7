package station

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/budget"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
)

// tracer makes the trace of a closed loop from the cycles of a daemon.
type tracer struct {
	run      eval.DaemonRun
	services []policy.Service
	live     policy.Action // of the interval before
	trace    eval.Trace
	err      error // what failed first: nothing does in a station that is well
}

func newTracer(r eval.DaemonRun) *tracer {
	return &tracer{run: r, services: r.Loop.Mesh.PolicyServices(), trace: eval.Trace{Intervals: make([]eval.Interval, 0, r.Loop.Intervals)}}
}

// add takes up the interval that ended with a cycle, and what the cycle decided.
func (t *tracer) add(s Step) {
	i := s.Report.Intent
	if s.Report.Err != nil && t.err == nil {
		t.err = fmt.Errorf("station: cycle %d: %w", i.Cycle, s.Report.Err)
	}
	in := eval.Interval{Seconds: (s.Report.At.Sub(Epoch) - t.run.Age).Seconds(), Live: i.Live, Refused: guard.Reason(i.Hold)}
	in.Phase = t.run.Loop.Phase(in.Seconds)
	if t.live != nil {
		in.Changes = policy.Diff(t.live, i.Live, 1e-9)
	}
	t.live = i.Live
	for _, e := range i.Edits {
		in.Edits = append(in.Edits, guard.Edit{Reason: guard.Reason(e.Reason), KnobID: e.KnobID, From: e.From, To: e.To})
	}
	if in.Failed = i.PolicyRole != journal.RoleActive; in.Failed {
		in.Reason = i.FallbackReason
	} else if i.Decision != nil {
		in.Infeasible, in.Reason = i.Decision.Infeasible, i.Decision.Reason
	}
	for _, service := range t.services {
		of := t.service(s, service)
		for _, e := range of.Errors {
			in.Counted = in.Counted || e.Counted
		}
		in.Services = append(in.Services, of)
	}
	t.trace.Intervals = append(t.trace.Intervals, in)
	t.trace.Control = s.Report.Control
}

// service is what an interval was for a service.
func (t *tracer) service(s Step, service policy.Service) eval.ServiceInterval {
	out := eval.ServiceInterval{Service: service.Name, Totals: t.totals(s.Totals, service.Name)}
	for _, o := range service.Objectives {
		out.Errors = append(out.Errors, measured(s.Report, service.Name, o))
	}
	return out
}

// measured is what a cycle measured of an objective. The first one closes no intent, so
// that what it measured is in its state alone.
func measured(r loop.Report, service string, o policy.Objective) margin.Measured {
	m := margin.Measured{Service: service, Signal: o.Signal}
	if r.Outcome == nil {
		m.Error, m.Known = margin.Error(o, r.Intent.State.Find(service, o.Signal))
		return m
	}
	for _, e := range r.Outcome.Errors {
		if e.Service == service && e.Signal == o.Signal {
			m.Error, m.Known, m.Counted = e.Error, e.Known, e.Counted
		}
	}
	return m
}

func (t *tracer) totals(all []emulator.Totals, service string) emulator.Totals {
	for i, s := range t.run.Loop.Emulator.Graph.Services {
		if s.Name == service {
			return all[i]
		}
	}
	return emulator.Totals{} // eval has refused a service that the emulator has not
}

// accountOf is what a daemon that has stopped has counted, by its account of error budgets
// and by its last status.
func accountOf(state string, status api.Mesh) ([]eval.ObjectiveAccount, error) {
	b, err := os.ReadFile(filepath.Join(state, "budgets", status.Name+".json"))
	if err != nil {
		return nil, fmt.Errorf("station: the account of error budgets: %w", err)
	}
	var kept budget.Ledger
	if err := json.Unmarshal(b, &kept); err != nil {
		return nil, fmt.Errorf("station: the account of error budgets: %w", err)
	}
	var objectives []budget.Objective
	for _, s := range status.Services {
		for _, o := range s.Objectives {
			objectives = append(objectives, budget.Objective{Service: s.Name, Signal: o.Signal, Budget: o.Budget, Window: time.Duration(o.WindowSeconds * float64(time.Second))})
		}
	}
	ledger := budget.NewLedger(objectives, nil)
	ledger.Adopt(&kept)
	var out []eval.ObjectiveAccount
	for _, r := range ledger.Reports(ledger.At()) {
		out = append(out, eval.ObjectiveAccount{Service: r.Service, Signal: r.Signal, Intervals: r.Rate.Intervals, Bad: r.Rate.Bad})
	}
	k := 0
	for _, s := range status.Services {
		for _, o := range s.Objectives {
			out[k].Flagged = o.Infeasible
			if o.Unmet != nil {
				out[k].FlaggedBad = *o.Unmet * float64(o.Infeasible)
			}
			k++
		}
	}
	return out, nil
}
