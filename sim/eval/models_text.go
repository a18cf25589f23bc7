package eval

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText writes the report as a table for a person.
func (r ModelReport) WriteText(w io.Writer) error {
	seeds := map[uint64]bool{}
	for _, s := range r.Splits {
		seeds[s.Seed] = true
	}
	lines := []string{
		fmt.Sprintf("system models of mesh %s on rows that they were not fitted on; %d rows of %d configurations; cross-validations of %d seeds", r.Mesh, r.Rows, r.Configurations, len(seeds)),
		"",
		"held out\tservice\tmodel\tR2\tlog error\tR2, last residual\tlog error, last residual",
	}
	for i, s := range r.Scores {
		if i > 0 && (s.HeldOut != r.Scores[i-1].HeldOut || s.Service != r.Scores[i-1].Service) {
			lines = append(lines, strings.Repeat("\t", 6)) // a line without cells would end the columns
		}
		lines = append(lines, strings.Join([]string{
			s.HeldOut, s.Service, s.Model, s.R2.plain("%.3f"), s.Log.plain("%.4f"), s.R2Last.plain("%.3f"), s.LogLast.plain("%.4f"),
		}, "\t"))
	}
	lines = append(lines, "",
		"R2: share of the latency's variance that is explained; log error: root mean square of log(measured/predicted), about the relative error;",
		"last residual: with as much of the last interval's error as the other folds say comes again; ±: half of a 95 % confidence interval over seeds")
	told := ""
	for _, s := range r.Scores {
		if s.Supported != nil && s.HeldOut != told { // it is the same for all services
			told = s.HeldOut
			lines = append(lines, fmt.Sprintf("%s held out: the table has a cell for %s of the rows; elsewhere it says what the nearest ones say", s.HeldOut, s.Supported.Percent()))
		}
	}
	if !slices.ContainsFunc(r.Scores, func(s ModelScore) bool { return s.Model == ModelQueues }) {
		lines = append(lines, ModelQueues+" and "+ModelCombined+" are left out: the mesh scales replicas, or has too many services for them")
	}
	if err := writeColumns(w, lines); err != nil {
		return fmt.Errorf("comparison of models: %w", err)
	}
	return nil
}

// plain is the estimate with its half-width, both in the format.
func (e Estimate) plain(format string) string {
	if e.Half == nil {
		return fmt.Sprintf(format, e.Mean)
	}
	return fmt.Sprintf(format+" ±"+format, e.Mean, *e.Half)
}

// WriteText writes the report as a table for a person.
func (r FaultReport) WriteText(w io.Writer) error {
	lines := []string{
		fmt.Sprintf("system models of mesh %s, learned from %d intervals, then node %s is left %.0f %% of its servers; %d seeds", r.Mesh, r.Samples, r.Node, 100*r.Servers, len(r.Seeds)),
		"log error of random actions, and share on the wrong side of their bound, after so many intervals of live correction",
		"",
	}
	head := []string{"live", "model", "correction"}
	for _, e := range r.Scores[0].Errors {
		head = append(head, fmt.Sprintf("%d", e.Intervals))
	}
	lines = append(lines, strings.Join(head, "\t"))
	for i, s := range r.Scores {
		if i > 0 && s.Live != r.Scores[i-1].Live {
			lines = append(lines, strings.Repeat("\t", len(head)-1))
		}
		cells := []string{s.Live, s.Model, s.Correction}
		for _, e := range s.Errors {
			cells = append(cells, e.cell())
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	lines = append(lines, "",
		fmt.Sprintf("trees fitted on %d intervals after the fault: %s", r.Samples, r.Bound.cell()),
		"±: half of a 95 % confidence interval over seeds")
	if err := writeColumns(w, lines); err != nil {
		return fmt.Errorf("comparison of models: %w", err)
	}
	return nil
}

func (e FaultError) cell() string { return e.Log.plain("%.3f") + ", " + e.Wrong.Percent() }
