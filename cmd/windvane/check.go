package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/rules"
)

// addCheck adds `check rules`.
func addCheck(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	check := app.Command("check", "Check what you wrote, without a network.")
	files := check.Command("rules", "Check rules files: syntax, keys, values, references and PromQL.").Arg("file", "Rules files (TOML).").Required().Strings()
	file := check.Command("config", "Check windvane.toml and the rules files that it names.").Arg("file", "windvane.toml.").Default("windvane.toml").String()
	commands["check config"] = func() error { return checkConfig(*file, stdout) }
	commands["check rules"] = func() error { return checkRules(*files, stdout) }
}

// checkRules reports every problem of every file, then fails if there was one.
func checkRules(files []string, stdout io.Writer) error {
	var problems []error
	for _, file := range files {
		m, err := rules.Load(file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for _, w := range m.Warnings() {
			if _, err := fmt.Fprintf(stdout, "warning: %v\n", w); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(stdout, "%s: mesh %s: %d services, %d knobs, authority %s\n",
			file, m.Name, len(m.Services), len(m.Knobs()), m.Guard.Authority); err != nil {
			return err
		}
		if len(m.Knobs()) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s\n", file, m.Delay()); err != nil {
			return err
		}
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	return nil
}

func checkConfig(file string, stdout io.Writer) error {
	c, err := config.Load(file, daemon.BuiltinNames())
	if err != nil {
		return usageError{err}
	}
	for _, w := range c.Warnings() {
		if _, err := fmt.Fprintf(stdout, "warning: %v\n", w); err != nil {
			return err
		}
	}
	for _, m := range c.Meshes {
		if len(m.Knobs()) == 0 {
			continue
		}
		d := m.Delay()
		source, _ := c.Source(m.Prometheus) // config.Load has checked that it is there
		d.Offset = source.QueryOffset
		if _, err := fmt.Fprintf(stdout, "%s: %s\n", m.File, d); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "%s: %d meshes, %d Prometheus sources, %d plugins\n", file, len(c.Meshes), len(c.Prometheus), len(c.Plugins))
	return err
}
