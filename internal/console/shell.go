package console

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Shell runs commands in places of its own: what a page says of a file or an address is
// replaced by where a test has it, and back in what is printed.
type Shell struct {
	Dir    string
	Env    []string
	Places []Place
}

// Place is what a page says, and what that is here.
type Place struct{ Page, Here string }

// Run returns what a command printed, stdout and stderr, and its exit code.
func (s Shell) Run(ctx context.Context, command string) (printed string, exit int, err error) {
	c := exec.CommandContext(ctx, "sh", "-c", s.Here(command))
	c.Dir, c.Env = s.Dir, s.Env
	out, err := c.CombinedOutput()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		exit, err = failed.ExitCode(), nil
	}
	return s.page(string(out)), exit, err
}

// Step runs a step and says what is not as the page shows it; empty: nothing. A step that
// is a cd moves the shell.
func (s *Shell) Step(ctx context.Context, step Step, same func(string) string) string {
	if dir, ok := strings.CutPrefix(step.Command, "cd "); ok {
		s.Dir = filepath.Join(s.Dir, dir)
		return ""
	}
	printed, exit, err := s.Run(ctx, step.Command)
	switch {
	case err != nil:
		return fmt.Sprintf("line %d: `%s`: %v", step.Line, step.Command, err)
	case exit != step.Exit:
		return fmt.Sprintf("line %d: `%s` has exit code %d, want %d:\n%s", step.Line, step.Command, exit, step.Exit, printed)
	}
	return step.Differ(printed, same)
}

// Here replaces what the page says.
func (s Shell) Here(text string) string {
	var pairs []string
	for _, p := range s.Places {
		pairs = append(pairs, p.Page, p.Here)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (s Shell) page(text string) string {
	var pairs []string
	for _, p := range s.Places {
		pairs = append(pairs, p.Here, p.Page)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
