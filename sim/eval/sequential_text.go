package eval

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report as a table for a person.
func (r SequentialReport) WriteText(w io.Writer) error {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "load\tpolicy\tof value iteration\teach seed\treward of an interval")
	for i, row := range r.Rows {
		if i > 0 && row.Load != r.Rows[i-1].Load {
			_, _ = fmt.Fprintln(out, strings.Repeat("\t", 4)) // a line without cells would end the columns
		}
		var each []string
		for _, v := range row.Ratios {
			each = append(each, fmt.Sprintf("%.3f", v))
		}
		_, _ = fmt.Fprintf(out, "%s\t%s\t%.4f\t%s\t%.2f\n", row.Load, row.Policy, row.Ratio, strings.Join(each, " "), row.Reward)
	}
	_ = out.Flush() // a strings.Builder does not fail
	for l := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " \n")); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
	}
	return nil
}
