package doctor

import (
	"cmp"
	"fmt"

	"github.com/windvane/windvane/rules"
)

// Refused is the report of files that cannot be used: there is nothing else to look at.
func Refused(problems rules.Problems) Report {
	var out Report
	for _, p := range problems {
		out.Findings = append(out.Findings, fromFile(p, Problem))
	}
	return out
}

// configuration passes on what `windvane check config` warns of.
func (e *examination) configuration() {
	warnings := e.o.Config.Warnings()
	for _, w := range warnings {
		e.add(fromFile(w, Warning))
	}
	e.about("", "configuration")(e.o.Config.File, OK, fmt.Sprintf("it can be used: %d meshes, %s", len(e.o.Config.Meshes), plural(len(warnings), "warning")), "")
}

func fromFile(p rules.Problem, s Status) Finding {
	object := p.File
	if p.Line > 0 {
		object = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	what := p.Message
	if p.Key != "" {
		what = p.Key + ": " + what
	}
	return Finding{Check: "configuration", Object: object, Status: s, What: what, Do: cmp.Or(p.Hint, "correct it")}
}
