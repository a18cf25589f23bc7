// Command windvane is the autopilot's only binary: the daemon and its tools. This
// package parses flags and arguments, one file for each subcommand; everything
// else is done by the packages it calls.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// Exit codes, as design and documentation state them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in what the user wrote: a flag, a configuration, a file.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// application has all flags and commands, and what each command does.
func application(stdout, stderr io.Writer) (*kingpin.Application, map[string]func() error) {
	app := kingpin.New("windvane", "An autopilot for Istio service meshes: holds service-level objectives within their error budgets.")
	app.UsageWriter(stdout)
	app.ErrorWriter(stderr)
	app.HelpFlag.Short('h')
	app.Version(version.Print("windvane"))
	commands := map[string]func() error{}
	addApprove(app, commands, stdout)
	addBacktest(app, commands, stdout, stderr)
	addCheck(app, commands, stdout)
	addCollect(app, commands, stdout, stderr)
	addEvaluate(app, commands, stdout, stderr)
	addDecisions(app, commands, stdout)
	addDemo(app, commands, stdout, stderr)
	addDoctor(app, commands, stdout)
	addExplain(app, commands, stdout)
	addImport(app, commands, stdout, stderr)
	addInit(app, commands, stdout)
	addJournal(app, commands, stdout)
	addMode(app, commands, stdout)
	addPlugin(app, commands, stdout)
	addPolicy(app, commands, stdout)
	addRelease(app, commands, stdout)
	addRun(app, commands, stderr)
	addSim(app, commands, stdout, stderr)
	addStatus(app, commands, stdout)
	addTest(app, commands, stdout)
	addTrain(app, commands, stdout, stderr)
	return app, commands
}

// run parses the arguments and calls the subcommand's function.
func run(args []string, stdout, stderr io.Writer) int {
	app, commands := application(stdout, stderr)
	exit := -1
	app.Terminate(func(code int) {
		if exit < 0 {
			exit = code
		}
	})
	command, err := app.Parse(completed(args))
	if exit >= 0 {
		return exit
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "windvane: %v\n", mistaken(app.Model(), args, err))
		return exitUsage
	}
	if err := commands[command](); err != nil {
		if code, ok := errors.AsType[exitError](err); ok {
			return int(code)
		}
		_, _ = fmt.Fprintf(stderr, "windvane: %v\n", hinted(err))
		if _, ok := errors.AsType[usageError](err); ok {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}
