// Package report says in words, tables and charts what sim/eval has found: it makes a
// page of each of its reports, for people who were not there. It judges nothing.
package report

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
)

// About says where a report came from.
type About struct {
	Command string // that gives the same report
	Version string // of windvane
	Mesh    string
	Rules   string // files, as they were named
	Dataset string
	SHA256  string // of the dataset
	Rows    int
}

func (a About) facts(more ...page.Fact) []page.Fact {
	out := []page.Fact{
		{Name: "Mesh", Value: a.Mesh},
		{Name: "Rules", Value: a.Rules},
		{Name: "Dataset", Value: fmt.Sprintf("%s, %d rows", a.Dataset, a.Rows)},
	}
	out = append(out, more...)
	return append(out,
		page.Fact{Name: "windvane", Value: a.Version},
		page.Fact{Name: "SHA-256 of the dataset", Value: a.SHA256, Code: true},
		page.Fact{Name: "Command", Value: a.Command, Code: true})
}

// percent is a share as a reader wants it, as in "4.9 %".
func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// plus is an estimate of a share without its unit, for a column that names it.
func plus(e eval.Estimate) string { return strings.TrimSuffix(e.Percent(), " %") }

// half is the half-width of an estimate for a chart in percent, 0 where there is none.
func half(e eval.Estimate) float64 {
	if e.Half == nil {
		return 0
	}
	return 100 * *e.Half
}

// list joins words as in a sentence.
func list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// colours gives a policy the same colour and sign in every chart.
var colours = map[string]int{
	eval.Tabular: 0, eval.Threshold: 1, eval.Static: 2, eval.Learned: 3, eval.None: 4, eval.Optimum: 5, eval.Random: 6,
	"rollout": 7,
}

func colour(policy string) int {
	if c, ok := colours[policy]; ok {
		return c
	}
	return 6
}

// called is what a policy is called on a page.
func called(policy string) string {
	switch policy {
	case eval.Static:
		return "best static"
	case eval.None:
		return "no control"
	}
	return policy
}

// seeds names the seeds of runs.
func seeds(first uint64, n int) string {
	if n == 1 {
		return fmt.Sprintf("%d", first)
	}
	return fmt.Sprintf("%d to %d", first, first+uint64(n)-1)
}
