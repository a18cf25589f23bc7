package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/rules"
)

// addRelease adds `release`.
func addRelease(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("release", "Put routes, blocking and replicas back to what they were before windvane set them; nothing else is touched. "+
		"It needs no daemon. What was there comes from the journal, else from the annotation windvane.io/baseline. "+
		"Exit code 1 if something was not put back.")
	o := daemon.ReleaseOptions{}
	c.Arg("mesh", "The mesh; all of them if it is left out.").StringVar(&o.Mesh)
	c.Flag("config.file", "windvane.toml.").Default("windvane.toml").StringVar(&o.ConfigFile)
	c.Flag("force", "Also where others have changed what windvane had set.").BoolVar(&o.Force)
	c.Flag("dry-run", "Change nothing; print the kubectl commands that do the same.").BoolVar(&o.DryRun)
	c.Flag("running", "A daemon runs, and `windvane mode MESH observe` keeps it from setting them again.").BoolVar(&o.Running)
	timeout := c.Flag("timeout", "For all of it.").Default("30s").Duration()
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["release"] = func() error {
		ctx, stop := interruptible()
		defer stop()
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		o.At = time.Now()
		meshes, err := daemon.Release(ctx, o)
		if _, ok := errors.AsType[rules.Problems](err); ok || meshes == nil && errors.Is(err, os.ErrNotExist) {
			return usageError{err}
		}
		if *asJSON && meshes != nil {
			return errors.Join(printJSON(stdout, meshes), err)
		}
		return errors.Join(printReleased(stdout, meshes, o.DryRun), err)
	}
}

func printReleased(w io.Writer, meshes []daemon.ReleasedMesh, dryRun bool) error {
	var errs []error
	p := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	for _, m := range meshes {
		p("mesh %s", m.Mesh)
		if m.Journal != "" {
			p("  the journal does not tell what was there before: %s", m.Journal)
		}
		for _, x := range m.Objects {
			p("  %s: %s", x.Object, releasedText(x, dryRun))
			for _, d := range x.Drift {
				p("    changed by others: %s", d)
			}
			if dryRun {
				for _, k := range x.Kubectl {
					p("    %s", k)
				}
			}
		}
	}
	return errors.Join(errs...)
}

func releasedText(x actuate.Released, dryRun bool) string {
	switch {
	case x.Problem != "":
		return "not put back"
	case x.Baseline == "":
		return "never written by windvane"
	case !x.Changed:
		return "as it was, by the " + x.Baseline
	case dryRun:
		return "would be put back to what it was, by the " + x.Baseline
	}
	return "put back to what it was, by the " + x.Baseline
}
