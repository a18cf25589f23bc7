package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/sim/eval/page"
)

// answer is how a command that judges answers.
type answer struct {
	json           bool
	html           string // the file of the page; empty: none
	stdout, stderr io.Writer
}

// judge lets work run, telling of its progress, until it is done or interrupted, and
// writes its report: JSON or text, and toPage's page where one is asked for. The subject
// of the work stands before its errors: they are of how rules, data and flags fit each other.
func judge[R interface{ WriteText(w io.Writer) error }](
	a answer, subject string, work func(ctx context.Context, progress func(what string, done, of int)) (R, error), toPage func(R) page.Page,
) error {
	html, err := openHTML("evaluate", a.html)
	if err != nil {
		return err
	}
	defer html.discard()
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("evaluate", a.stderr)
	defer p.Stop()
	result, err := unlessStopped(ctx, func() (R, error) { return work(ctx, p.Count) })
	if ctx.Err() != nil {
		return fmt.Errorf("evaluate: %w", errStopped)
	}
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", subject, err)}
	}
	p.Stop()
	if a.json {
		err = json.NewEncoder(a.stdout).Encode(result)
	} else {
		err = result.WriteText(a.stdout)
	}
	if html != nil { // after what is printed, which a full disk shall not take along
		err = errors.Join(err, html.write(toPage(result)))
	}
	return err
}
