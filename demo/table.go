package demo

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Table writes rows as a table, a line for each phase and controller. The rows of one
// phase and controller follow each other, a service each, always the same ones.
func Table(rows []Row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(rows) == 0 {
		return ""
	}
	services := services(rows)
	head := []string{"   phase", "controller"}
	for _, what := range []string{"broken", "carried"} {
		for _, s := range services {
			head = append(head, what+" "+s)
		}
	}
	_, _ = fmt.Fprintln(w, strings.Join(append(head, "blocked", "actions", "carried in all"), "\t"))
	n := len(services)
	for i := 0; i+n <= len(rows); i += n {
		if i > 0 && rows[i-1].Phase != rows[i].Phase {
			_, _ = fmt.Fprintln(w, strings.Repeat("\t", 2*n+4)) // an empty line would end the columns
		}
		_, _ = fmt.Fprintln(w, strings.Join(line(rows[i:i+n]), "\t"))
	}
	_ = w.Flush() // a strings.Builder does not fail
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// services are those of the first phase and controller.
func services(rows []Row) []string {
	var out []string
	for _, r := range rows {
		if r.Phase != rows[0].Phase || r.Controller != rows[0].Controller {
			break
		}
		out = append(out, r.Service)
	}
	return out
}

// line is one controller in one phase.
func line(rows []Row) []string {
	cells := []string{"   " + rows[0].Phase, rows[0].Controller}
	for _, r := range rows {
		cells = append(cells, percent(r.ViolatedRatio))
	}
	offered, carried, blocked, actions := 0, 0, 0, 0
	for _, r := range rows {
		cells = append(cells, percent(r.CarriedRatio))
		offered += r.Offered
		carried += r.Carried
		blocked += r.Blocked
		actions += r.Actions
	}
	return append(cells, percent(share(float64(blocked), offered)), fmt.Sprint(actions), percent(share(float64(carried), offered)))
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
