package conformance

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes a line of a result, its findings below it, and what to do about them.
func (r Result) WriteText(w io.Writer) error {
	var b strings.Builder
	verdict := "ok"
	switch {
	case r.Skipped:
		verdict = "-"
	case len(r.Findings) > 0:
		verdict = "FAIL"
	}
	text := r.Note
	if text == "" || len(r.Findings) > 0 {
		text = r.About
	}
	fmt.Fprintf(&b, "  %-10s %-5s %s\n", r.Check, verdict, text)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "               * %s\n", f)
	}
	if r.Hint != "" {
		fmt.Fprintf(&b, "               %s\n", r.Hint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteText writes what comes after the results: what the plugin wrote, if it is to be
// mended, and how many checks failed.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	failed := r.Failed()
	if failed > 0 && len(r.Output) > 0 {
		fmt.Fprintf(&b, "\nThe last lines that it wrote:\n")
		for _, line := range r.Output {
			fmt.Fprintf(&b, "  | %s\n", line)
		}
	}
	if failed == 0 {
		fmt.Fprintf(&b, "\n%s %s passes.\n", r.Policy, r.Version)
	} else {
		fmt.Fprintf(&b, "\n%d of %d checks failed.\n", failed, len(r.Results))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
