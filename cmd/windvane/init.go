package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/draft"
	"github.com/windvane/windvane/internal/progress"
)

// addInit adds `init`.
func addInit(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("init", "Write a first configuration, with comments and in authority observe, from a live cluster and its Prometheus. "+
		"Nothing in the cluster is changed, and no file is overwritten.")
	o := daemon.DraftOptions{}
	c.Flag("prometheus", "URL of Prometheus.").Default("http://127.0.0.1:9090").StringVar(&o.PrometheusURL)
	c.Flag("kubeconfig", "The kubeconfig file; as kubectl finds it if it is left out.").StringVar(&o.KubeconfigFile)
	c.Flag("context", "The context in it.").StringVar(&o.Context)
	c.Flag("namespace", "Only VirtualServices of this namespace.").Short('n').StringVar(&o.Namespace)
	c.Flag("timeout", "For each question.").Default("30s").DurationVar(&o.Timeout)
	dir := c.Flag("output", "Directory to write to.").Short('o').Default(".").String()
	commands["init"] = func() error {
		ctx, stop := interruptible()
		defer stop()
		o.At = time.Now()
		meter := progress.New("init", os.Stderr)
		meter.Note("reading the cluster and Prometheus")
		made, err := daemon.Draft(ctx, o)
		meter.Stop()
		if err != nil && !errors.Is(err, draft.ErrNothing) {
			return fmt.Errorf("init: %w", err)
		}
		var paths []string
		if err == nil {
			paths, err = made.Write(*dir)
		}
		if printed := printDraft(stdout, made, paths); printed != nil {
			return printed
		}
		if err != nil {
			return fmt.Errorf("init: %w", err)
		}
		file := filepath.Join(*dir, "windvane.toml")
		_, err = fmt.Fprintf(stdout, "next: read them, then\n  windvane check config %s\n  windvane doctor --config.file %s\n", file, file)
		return err
	}
}

func printDraft(w io.Writer, d draft.Draft, paths []string) error {
	var errs []error
	p := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	for _, path := range paths {
		p("wrote %s", path)
	}
	if len(paths) > 0 {
		p("services: %d, in authority observe; bounds are proposals", d.Services)
	}
	for _, l := range d.Left {
		p("not taken over: %s: %s", l.Route, l.Why)
	}
	for _, n := range d.Notes {
		p("not found out: %s", n)
	}
	return errors.Join(errs...)
}
