package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/integration/stack"
)

// What windvane is to show on a mesh: where no control breaks a budget in much of the time,
// it breaks it at most a little more often than it may.
const (
	much   = .20 // of the intervals
	little = .02 // above the budget
)

// bar holds windvane that has learned against its bars, for one load and seed. Violations are
// those of Prometheus' signals, which is what a controller can know.
type bar struct {
	Load    string   `json:"load"`
	Seed    uint64   `json:"seed"`
	Asked   []string `json:"asked"`         // services whose bound no control breaks in much of the time
	Held    []string `json:"held"`          // of them, those whose budget windvane kept
	Carried *float64 `json:"carried_ratio"` // of both services, by windvane
	Static  *float64 `json:"static_carried_ratio"`
}

// bars are those of the loads and seeds that all controllers have run.
func (r *result) bars() []bar {
	var out []bar
	for _, x := range r.Rows {
		if x.Controller != tabular || x.Service != stack.Services[0] {
			continue
		}
		b := bar{Load: x.Load, Seed: x.Seed, Carried: r.carried(x.Load, x.Seed, tabular), Static: r.carried(x.Load, x.Seed, fixed)}
		for _, service := range stack.Services {
			without, with := r.violated(x.Load, x.Seed, none, service), r.violated(x.Load, x.Seed, tabular, service)
			if without == nil || *without < much {
				continue
			}
			b.Asked = append(b.Asked, service)
			if with != nil && *with <= r.Budget+little {
				b.Held = append(b.Held, service)
			}
		}
		out = append(out, b)
	}
	return out
}

func (r *result) violated(load string, seed uint64, controller, service string) *float64 {
	i := slices.IndexFunc(r.Rows, func(x row) bool {
		return x.Load == load && x.Seed == seed && x.Controller == controller && x.Service == service
	})
	if i < 0 {
		return nil
	}
	return r.Rows[i].ViolatedSignals
}

func (r *result) carried(load string, seed uint64, controller string) *float64 {
	carried, offered := 0, 0
	for _, x := range r.Rows {
		if x.Load == load && x.Seed == seed && x.Controller == controller {
			carried, offered = carried+x.Carried, offered+x.Offered
		}
	}
	return ratio(float64(carried), float64(offered))
}

// judgement writes the bars for a person.
func (r *result) judgement(b *strings.Builder) {
	if len(r.Bars) == 0 {
		return
	}
	most := r.Budget + little
	_, _ = fmt.Fprintf(b, "\nbars of tabular, by signals: violated at most %s where none is at %.0f %% or more; carried at least as by static\n", percent(&most), 100*much)
	for _, x := range r.Bars {
		_, _ = fmt.Fprintf(b, "  %s %d: violated held for %d of %d services that ask for it; carried %s, by static %s\n",
			x.Load, x.Seed, len(x.Held), len(x.Asked), percent(x.Carried), percent(x.Static))
	}
}
