package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/windvane/windvane/demo"
)

// addDemo adds `demo`.
func addDemo(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	c := app.Command("demo", "Watch the daemon learn an emulated mesh and hold its objectives. Needs nothing.")
	f := demoFlags{
		seed:     c.Flag("seed", "Everything random follows from it: the same seed gives the same table.").Default("1").Uint64(),
		duration: c.Flag("duration", "Virtual time of part 3, in which windvane acts.").Default(demo.DefaultDuration().String()).Duration(),
		speed:    c.Flag("speed", "Virtual seconds per second; 0: as fast as possible.").Default("0").Float64(),
		address:  c.Flag("web.listen-address", "Address of the autopilot's HTTP server.").Default("127.0.0.1:0").String(),
		keep:     c.Flag("keep", "Stay up at the end, with the HTTP server and the files, until Ctrl-C.").Bool(),
		asJSON:   c.Flag("json", "Print the result as one JSON object; the story goes to standard error.").Bool(),
	}
	commands["demo"] = func() error { return runDemo(f, stdout, stderr) }
}

type demoFlags struct {
	seed     *uint64
	duration *time.Duration
	speed    *float64
	address  *string
	keep     *bool
	asJSON   *bool
}

func runDemo(f demoFlags, stdout, stderr io.Writer) (err error) {
	ctx, stop := interruptible()
	defer stop()
	dir, err := os.MkdirTemp("", "windvane-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "windvane: the demo's files, with the daemons' logs, are in %s\n", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	screen := &demo.Screen{Out: stdout, Terminal: isTerminal(stdout)}
	if *f.asJSON {
		screen = &demo.Screen{Out: stderr, Terminal: isTerminal(stderr)}
	}
	lengths, err := demo.LengthsFor(*f.duration)
	if err != nil {
		return usageError{err}
	}
	var result *demo.Result
	result, err = demo.Run(ctx, demo.Options{
		Seed: *f.seed, Lengths: lengths, Speed: *f.speed, Dir: dir, Address: *f.address, Screen: screen,
		Done: func(r *demo.Result, stateDirectory, url string) {
			screen.End(r)
			if *f.keep {
				_, _ = fmt.Fprintf(screen.Out, "\nThe daemon stays up, its virtual clock stands still. Ctrl-C ends it.\n"+
					"  windvane status --url %s\n  windvane explain --state-directory %s\n", url, stateDirectory)
				<-ctx.Done()
			}
		},
	})
	if err != nil {
		return err
	}
	if *f.asJSON {
		if err := printJSON(stdout, result); err != nil {
			return err
		}
	}
	if worse := result.WorseThanNothing(); len(worse) > 0 {
		return fmt.Errorf("demo: the autopilot was worse than no control for %v", worse)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
