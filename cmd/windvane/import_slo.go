package main

import (
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/slo"
)

// addImportSLO adds `import slo`.
func addImportSLO(imports *kingpin.CmdClause, commands map[string]func() error, stdout, stderr io.Writer) {
	cmd := imports.Command("slo", "Turn objectives of Sloth, OpenSLO or Pyrra into a rules file, printed; what could not be carried over is listed.")
	file := cmd.Arg("file", "The objectives (YAML).").Required().String()
	from := cmd.Flag("from", "What they were written for: sloth, openslo or pyrra.").Required().Enum(slo.Formats()...)
	mesh := cmd.Flag("mesh", "Name of the mesh; default: that of the first service.").String()
	interval := cmd.Flag("interval", "Interval of the mesh, and range of the queries.").Default(model.Duration(slo.DefaultInterval).String()).String()
	commands["import slo"] = func() error {
		d, err := model.ParseDuration(*interval)
		if err != nil {
			return usageError{fmt.Errorf("--interval: %w", err)}
		}
		return importSLO(*file, slo.Options{From: *from, File: *file, Mesh: *mesh, Interval: time.Duration(d)}, stdout, stderr)
	}
}

func importSLO(file string, o slo.Options, stdout, stderr io.Writer) error {
	src, err := rules.ReadFile(file)
	if err != nil {
		return usageError{err}
	}
	toml, lost, err := slo.Import(src, o)
	for _, l := range lost {
		if _, err := fmt.Fprintf(stderr, "windvane: %s: not carried over: %s\n", file, l); err != nil {
			return err
		}
	}
	if err != nil {
		return usageError{err}
	}
	_, err = stdout.Write(toml)
	return err
}
