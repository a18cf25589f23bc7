package main

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/rules"
)

// addDoctor adds `doctor`.
func addDoctor(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("doctor", "Look at all that windvane needs: files, Prometheus and every query, the API server and every permission, routes and who else sets them, the journal. "+
		"Nothing is changed: permissions are asked for by SelfSubjectAccessReview, a POST that stores nothing. Exit code 1 if there is a problem.")
	o := daemon.DoctorOptions{RuntimeDirectory: os.Getenv("RUNTIME_DIRECTORY"), Now: time.Now}
	c.Flag("config.file", "windvane.toml.").Default("windvane.toml").StringVar(&o.ConfigFile)
	c.Flag("mesh", "Only this mesh.").StringVar(&o.Mesh)
	c.Flag("timeout", "For each question.").Default("5s").DurationVar(&o.Timeout)
	all := c.Flag("verbose", "Show what is fine, too.").Short('v').Bool()
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["doctor"] = func() error {
		ctx, stop := interruptible()
		defer stop()
		meter := progress.New("doctor", os.Stderr)
		meter.Note("asking Prometheus and the API server")
		report, err := daemon.Doctor(ctx, o)
		meter.Stop()
		if _, ok := errors.AsType[rules.Problems](err); ok || errors.Is(err, os.ErrNotExist) {
			return usageError{err}
		}
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(stdout, report)
		} else {
			err = report.WriteText(coloured(stdout), *all)
		}
		if err == nil && report.Count(doctor.Problem) > 0 {
			return exitError(exitFailed)
		}
		return err
	}
}
