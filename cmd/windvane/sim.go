package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/internal/unixsocket"
	"github.com/windvane/windvane/plugins/simserver"
)

// simulation is what `sim serve` was asked for.
type simulation struct {
	rules, dataset, socket string
	seed                   uint64
	ofModel, watch         bool
}

// addSim adds `sim serve`, which learners in other languages train in.
func addSim(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	var s simulation
	c := app.Command("sim", "The simulator for learners of one's own.").
		Command("serve", "Learn a mesh from a dataset, and serve environments of it on a unix socket until Ctrl-C.")
	c.Flag("rules", "The mesh's rules file (TOML).").Required().StringVar(&s.rules)
	c.Flag("dataset", "A dataset, such as `collect` and `import trace` write.").Required().StringVar(&s.dataset)
	c.Flag("socket", "Path of the socket; only this user may connect.").Required().StringVar(&s.socket)
	c.Flag("seed", "Draws what is held out of a fit, and the loads of --model.").Default("1").Uint64Var(&s.seed)
	c.Flag("model", "Ask the fitted model in each step, not its table: slower, for grids that are too large for a table.").BoolVar(&s.ofModel)
	c.Flag("watch-stdin", "End when standard input does, as it does with the process that holds its other end.").BoolVar(&s.watch)
	commands["sim serve"] = func() error { return s.serve(stdout, stderr) }
}

// simSocketMode lets the owner in alone.
const simSocketMode = 0o600

func (s *simulation) serve(stdout, stderr io.Writer) error {
	m, d, digest, err := loadData("sim serve", s.rules, s.dataset)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	if s.watch {
		go func() { // ends with the process
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	// Before the fit, so that a mistake is not told after it. Who connects by then waits.
	listener, err := unixsocket.Listen(s.socket, simSocketMode)
	if err != nil {
		return usageError{fmt.Errorf("sim serve: %w", err)}
	}
	defer func() { _ = listener.Close() }() // closed by then, unless the fit failed
	p := progress.New("sim serve", stderr)
	defer p.Stop()
	p.Note(fmt.Sprintf("fitting %d rows", d.Rows()))
	scenario, err := unlessStopped(ctx, func() (*simserver.Scenario, error) {
		return simserver.Fit(m, d, digest, s.seed, s.ofModel)
	})
	switch {
	case ctx.Err() != nil:
		return nil // as good an end as any later one
	case err != nil:
		return usageError{fmt.Errorf("sim serve: %s with %s: %w", s.dataset, s.rules, err)}
	}
	p.Stop()
	if _, err := fmt.Fprintf(stdout, "mesh %s is served on unix:%s\n", scenario.Mesh, s.socket); err != nil {
		return err
	}
	return simserver.Serve(ctx, listener, scenario)
}
