package backtest

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// WriteText writes the summary for a person.
func (r *Report) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := []string{
		fmt.Sprintf("backtest of policy %s on mesh %s, from %s to %s", r.Policy, r.Mesh, stamp(r.Judged), stamp(r.To)), "",
		"objective\terror budget\twould have been broken\tnine times of ten within\twas broken",
	}
	for _, o := range r.Objectives {
		value, within := ranged(o.Violated, percent)
		lines = append(lines, fmt.Sprintf("%s of %s\t%.3g %%\t%s\t%s\t%s", o.Signal, o.Service, 100*o.Budget, value, within, maybe(o.Measured, percent)))
	}
	lines = append(lines, "", "service\toffered/s\twould have been carried/s\tnine times of ten within\twas carried/s")
	for _, s := range r.Services {
		value, within := ranged(s.Carried, rate)
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", s.Service, maybe(s.Offered, rate), value, within, maybe(s.Measured, rate)))
	}
	lines = append(lines, "", "setting\tmean\twas\tchanges\tflaps\teffect told by history")
	for _, k := range r.Knobs {
		lines = append(lines, fmt.Sprintf("%s\t%.3f\t%s\t%d\t%d\t%s", k.KnobID, k.Mean, maybe(k.Measured, func(v float64) string { return fmt.Sprintf("%.3f", v) }), k.Changes, k.Flaps, verdicts[k.Verdict]))
	}
	lines = append(lines, "")
	lines = append(lines, r.sentences()...)
	for _, l := range append(lines, "") {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return fmt.Errorf("report of backtest: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("report of backtest: %w", err)
	}
	return nil
}

// sentences say what tables do not.
func (r *Report) sentences() []string {
	out := append([]string{r.covered()}, r.decided()...)
	if len(r.Untold) > 0 {
		out = append(out, "History cannot tell:")
		for _, u := range r.Untold {
			out = append(out, "  - "+u)
		}
	}
	return append(out, r.learned())
}

// decided says what the cycles did.
func (r *Report) decided() []string {
	d := r.Decided
	out := []string{fmt.Sprintf("It would have acted in %d of %d cycles; %d changes would have been flaps: they take back one of at most %d intervals before.",
		d.Acts, r.Coverage.Intervals, d.Flaps, FlapIntervals)}
	if d.Infeasible > 0 {
		out = append(out, fmt.Sprintf("In %d cycles nothing was feasible, and it shed what it may.", d.Infeasible))
	}
	if d.Fallback > 0 {
		out = append(out, fmt.Sprintf("In %d cycles the policy gave no usable answer, and the fallback decided.", d.Fallback))
	}
	for _, x := range []struct {
		what string
		of   map[string]int
	}{{"Held, by reason", d.Holds}, {"Edited by the guard, by reason", d.Edits}, {"Only raising blocking was admitted, by reason", d.Frozen}} {
		if len(x.of) > 0 {
			out = append(out, x.what+": "+counted(x.of)+".")
		}
	}
	if d.Demoted != nil {
		out = append(out, fmt.Sprintf("At %s the daemon would have taken the mesh from the policy: %s.", stamp(d.Demoted.At), d.Demoted.Why))
	}
	return out
}

// covered says which of the judged time the figures are of.
func (r *Report) covered() string {
	c := r.Coverage
	text := fmt.Sprintf("Covered: %s of %d intervals were decided from fresh data, under settings and loads that the model knows", percent(c.Ratio), c.Intervals)
	var rest []string
	if c.Blind > 0 {
		rest = append(rest, fmt.Sprintf("in %d something was not measured, or not anew", c.Blind))
	}
	if c.Beyond > 0 {
		rest = append(rest, fmt.Sprintf("in %d history does not tell what the settings would have done", c.Beyond))
	}
	if len(rest) > 0 {
		text += "; " + strings.Join(rest, ", ")
	}
	return text + ". All figures, also of what was, are of the covered ones."
}

// learned says where the model is from, and how good it is.
func (r *Report) learned() string {
	var fits []string
	for _, f := range r.Learned.Fit {
		fits = append(fits, fmt.Sprintf("%.2f of %s", f.R2, f.Service))
	}
	text := fmt.Sprintf("The figures are a model's, of %d intervals from %s to %s. On intervals that it had not seen it explains %s of the latency's variance.",
		r.Learned.WorldRows, stamp(r.From), stamp(r.Judged), strings.Join(fits, ", "))
	if r.Learned.PolicyRows > 0 {
		text += fmt.Sprintf(" The policy learned from %d intervals of the first half of them.", r.Learned.PolicyRows)
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func rate(v float64) string { return fmt.Sprintf("%.3g", v) }

func maybe(v *float64, as func(float64) string) string {
	if v == nil {
		return "not known"
	}
	return as(*v)
}

// ranged is a figure and its range.
func ranged(f *Figure, as func(float64) string) (value, within string) {
	if f == nil {
		return "not identifiable", "-"
	}
	return as(f.Value), as(f.Low) + " to " + as(f.High)
}

func counted(of map[string]int) string {
	var out []string
	for _, reason := range mostFirst(of) {
		out = append(out, fmt.Sprintf("%s %d", reason, of[reason]))
	}
	return strings.Join(out, ", ")
}

// changes lists what was changed, in one line.
func changes(all []policy.Change) string {
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprintf("%s %.2f to %.2f", c.KnobID, c.From, c.To))
	}
	return strings.Join(out, ", ")
}
