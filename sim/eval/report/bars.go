package report

import (
	"fmt"

	"github.com/windvane/windvane/sim/eval/page"
)

// barsMet says how many bars were met, and which were not.
func barsMet(bars int, missed []string) []string {
	switch {
	case len(missed) > 0:
		return []string{fmt.Sprintf("%d of the %d bars that were set beforehand are met. Not met: %s.", bars-len(missed), bars, list(missed))}
	case bars > 0:
		return []string{fmt.Sprintf("All bars that were set beforehand are met (%d).", bars)}
	}
	return nil
}

// barRow is a bar in the table of barSection.
func barRow(name, where string, budget float64, delay, want string, got float64, met bool) page.Row {
	word := "yes"
	if !met {
		word = "no"
	}
	return page.Row{Cells: []string{name, where, fmt.Sprintf("%g", 100*budget), delay, want, fmt.Sprintf("%.3f", got), word}, Bad: !met}
}

// barSection is the table of what was to be shown.
func barSection(where string, rows []page.Row) page.Section {
	t := page.Table{
		Title: "What was to be shown",
		Columns: []page.Column{
			{Name: "bar", Text: true}, {Name: where, Text: true}, {Name: "budget %"}, {Name: "delay"}, {Name: "want"}, {Name: "got"}, {Name: "met", Text: true},
		},
		Groups: []page.Group{{Rows: rows}},
	}
	return page.Section{Title: "Bars", Text: []string{"They were fixed before the controllers were written. Shares are of 1."}, Tables: []page.Table{t}}
}
