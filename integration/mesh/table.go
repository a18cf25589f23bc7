package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/windvane/windvane/integration/stack"
)

// printResult writes the tables for a person.
func printResult(w io.Writer, r *result) error {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "the real Envoy, %s, %d meshes on %d cores; seeds from %d; runs of %d intervals of 1 s; error budget %s of the intervals\n", r.Commit, r.Meshes, r.Cores, r.Seed, r.Intervals, percent(&r.Budget))
	if x := r.Explored; x != nil {
		_, _ = fmt.Fprintf(&b, "explored for %d intervals, dataset of %d rows (the warm-up's included); violated meanwhile, at the clients:", x.Intervals, x.Rows)
		for _, s := range stack.Services {
			v := x.Violated[s]
			_, _ = fmt.Fprintf(&b, " %s %s", s, percent(&v))
		}
		b.WriteString("\n")
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Static)) {
		if s := r.Static[kind]; s != nil {
			_, _ = fmt.Fprintf(&b, "static setting for %s load: %s\n", kind, s)
		}
	}
	b.WriteString(`
violated  share of the intervals with a p95 above its bound: client, by what clients saw of the requests
          due in it; signals, by what Prometheus knew at its end; predicted, by the policy of its decisions
carried   share of the offered requests answered with 200; of model, of what the model's optimum admits
failed    requests that got anything but 200 and the commanded 429

`)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "load\tseed\tcontroller\tservice\tviolated client\tsignals\tpredicted\tcarried\tof model\toffered\tshed\tfailed\tlate p99")
	for _, x := range r.Rows {
		late := "?"
		if x.LateSeconds != nil {
			late = milliseconds(*x.LateSeconds)
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", x.Load, x.Seed, x.Controller, x.Service,
			percent(x.ViolatedClient), percent(x.ViolatedSignals), percent(x.ViolatedPredicted), percent(x.CarriedRatio), percent(x.ofModel()),
			x.Offered, x.Shed, x.Failed, late)
	}
	_ = t.Flush() // a strings.Builder does not fail
	r.judgement(&b)
	b.WriteString("\nwhat clients got but 200 and the commanded 429, the exploration included:")
	if len(r.Failures) == 0 {
		b.WriteString(" nothing")
	}
	for _, what := range slices.Sorted(maps.Keys(r.Failures)) {
		_, _ = fmt.Fprintf(&b, "\n  %6d %s", r.Failures[what], what)
	}
	b.WriteString("\n")
	r.latency(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// latency writes the table of the loop.
func (r *result) latency(b *strings.Builder) {
	if len(r.Stages)+len(r.Switches) == 0 {
		return
	}
	b.WriteString("\nloop latency: the daemon's, of the tabular runs, by " + stageMetric + "; then without it\n")
	meaning := map[string]string{
		"sample_age": "of the newest sample when a cycle begins", "observe": "queries", "read": "of the settings in force",
		"decide": "the policy", "guard": "the limits", "prepare": "dry run of the patch", "record": "the intent, on disk",
		"apply": "the patch", "settle": "from the cycle that acted to the first that measured its settings",
		"patch": "one that moves all requests to the other side, without the daemon", "last": "from the patch to the last answer under the old rule",
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "stage\tp50\tp99\tcount\t")
	for _, s := range slices.Concat(r.Stages, r.Switches) {
		p50, p99 := "?", "?"
		if s.P50 != nil && s.P99 != nil {
			p50, p99 = milliseconds(*s.P50), milliseconds(*s.P99)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", s.Name, p50, p99, s.Count, meaning[s.Name])
	}
	_ = t.Flush() // a strings.Builder does not fail
}

// ofModel is what was carried over what the model's optimum admits.
func (x row) ofModel() *float64 {
	if x.CarriedRatio == nil || x.OptimumPredicted == nil {
		return nil
	}
	return ratio(*x.CarriedRatio, *x.OptimumPredicted)
}

func (s *static) String() string {
	var parts []string
	for _, service := range stack.Services {
		v1, blocked := s.V1[service], s.Blocking[service]
		parts = append(parts, fmt.Sprintf("%s %s to v1, %s blocked", service, percent(&v1), percent(&blocked)))
	}
	kept := "kept the budgets in its run of the sweep"
	if !s.Kept {
		kept = "NONE KEPT THE BUDGETS; this was the last"
	}
	return fmt.Sprintf("%s; %s, number %d", strings.Join(parts, ", "), kept, s.Tried)
}

func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100**v)
}

func milliseconds(s float64) string { return fmt.Sprintf("%.1f ms", 1000*s) }
