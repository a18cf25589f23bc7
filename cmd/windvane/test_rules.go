package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/ruletest"
)

// addTest adds `test rules`.
func addTest(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	test := app.Command("test", "Test what you wrote, without a network.")
	files := test.Command("rules", "Run unit tests of rules files: series in, verdicts and margins out.").Arg("file", "Files of tests (TOML).").Required().Strings()
	commands["test rules"] = func() error { return testRules(*files, stdout) }
}

// testRules runs every test of every file, then fails if one did. A file that is wrong
// is a mistake of the user's, and the others are run all the same.
func testRules(files []string, stdout io.Writer) error {
	var wrong []error
	tests, failed := 0, 0
	for _, file := range files {
		results, err := ruletest.Run(context.Background(), file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, r := range results {
			tests++
			if len(r.Failures) > 0 {
				failed++
			}
			if err := writeResult(stdout, r); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return usageError{err}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, tests)
	}
	return nil
}

func writeResult(w io.Writer, r ruletest.Result) error {
	if len(r.Failures) == 0 {
		_, err := fmt.Fprintf(w, "ok      %s: %s (checks: %d)\n", r.File, r.Name, r.Checks)
		return err
	}
	if _, err := fmt.Fprintf(w, "FAILED  %s: %s\n", r.File, r.Name); err != nil {
		return err
	}
	for _, f := range r.Failures {
		if _, err := fmt.Fprintf(w, "        %s\n", f); err != nil {
			return err
		}
	}
	return nil
}
