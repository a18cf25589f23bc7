package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/ruletest"
)

// addTest adds `test rules`.
func addTest(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	test := app.Command("test", "Test what you wrote, without a network.")
	cmd := test.Command("rules", "Run unit tests of rules files: series in, verdicts and margins out.")
	files := cmd.Arg("file", "Files of tests (TOML).").Required().Strings()
	asJSON := cmd.Flag("json", "Print the results as JSON.").Bool()
	commands["test rules"] = func() error { return testRules(*files, *asJSON, stdout) }
}

// testRules runs every test of every file, then fails if one did. A file that is wrong
// is a mistake of the user's, and the others are run all the same.
func testRules(files []string, asJSON bool, stdout io.Writer) error {
	var wrong []error
	all, failed := []ruletest.Result{}, 0
	for _, file := range files {
		results, err := ruletest.Run(context.Background(), file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for _, r := range results {
			if len(r.Failures) > 0 {
				failed++
			}
			if asJSON {
				continue
			}
			if err := writeResult(stdout, r); err != nil {
				return err
			}
		}
		all = append(all, results...)
	}
	if asJSON {
		if err := json.NewEncoder(stdout).Encode(all); err != nil {
			return err
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return usageError{err}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests failed", failed, len(all))
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
