package doctor

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Report is what all checks found.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count returns how many findings have a status.
func (r Report) Count(s Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// WriteText prints the findings by mesh. What is ok is only counted, unless all are
// asked for.
func (r Report) WriteText(w io.Writer, all bool) error {
	var errs []error
	p := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		errs = append(errs, err)
	}
	for _, mesh := range r.meshes() {
		title := "windvane"
		if mesh != "" {
			title = "mesh " + mesh
		}
		p("%s\n", title)
		fine := 0
		for _, f := range r.Findings {
			if f.Mesh != mesh {
				continue
			}
			if f.Status == OK {
				if fine++; !all {
					continue
				}
			}
			p("  %-7s  %s, %s: %s\n", f.Status, f.Check, f.Object, f.What)
			for line := range strings.Lines(f.Do) {
				p("           > %s\n", strings.TrimRight(line, "\n"))
			}
		}
		if !all && fine > 0 {
			p("  ok       %s; -v shows them\n", plural(fine, "finding"))
		}
	}
	p("%s, %s, %d unknown, %d ok; nothing was changed\n",
		plural(r.Count(Problem), "problem"), plural(r.Count(Warning), "warning"), r.Count(Unknown), r.Count(OK))
	return errors.Join(errs...)
}

// meshes returns the meshes in the order of their first finding.
func (r Report) meshes() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if !seen[f.Mesh] {
			seen[f.Mesh] = true
			out = append(out, f.Mesh)
		}
	}
	return out
}
