package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/crypto/bcrypt"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/rules"
)

// addCheck adds `check rules`.
func addCheck(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	check := app.Command("check", "Check what you wrote, without a network.")
	files := check.Command("rules", "Check rules files: syntax, keys, values, references and PromQL.").Arg("file", "Rules files (TOML).").Required().Strings()
	file := check.Command("config", "Check windvane.toml and the rules files that it names.").Arg("file", "windvane.toml.").Default("windvane.toml").String()
	webFiles := check.Command("web-config", "Check files of --web.config.file: users, certificates and keys.").Arg("file", "Web configuration files (YAML).").Required().Strings()
	commands["check web-config"] = func() error { return checkWeb(*webFiles, stdout) }
	commands["check config"] = func() error { return checkConfig(*file, stdout) }
	commands["check rules"] = func() error { return checkRules(*files, stdout) }
}

// checkWeb reports what is wrong with each file, then fails if something was.
func checkWeb(files []string, stdout io.Writer) error {
	var problems []error
	for _, file := range files {
		if err := validateWeb(file); err != nil {
			problems = append(problems, err)
			continue
		}
		if _, err := fmt.Fprintf(stdout, "%s: as it should be\n", file); err != nil {
			return err
		}
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	return nil
}

// validateWeb checks one file; an empty name is none.
func validateWeb(file string) error {
	err := web.Validate(file)
	switch {
	case errors.Is(err, bcrypt.ErrHashTooShort):
		return fmt.Errorf("%s: a password is not hashed: %w; `htpasswd -nBC 10 \"\"` hashes one", file, err)
	case err != nil && !errors.Is(err, os.ErrNotExist): // which names it
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
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
			if _, err := fmt.Fprintf(coloured(stdout), "warning: %v\n", w); err != nil {
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
		if _, err := fmt.Fprintf(coloured(stdout), "warning: %v\n", w); err != nil {
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
