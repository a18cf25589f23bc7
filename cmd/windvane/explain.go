package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/explain"
)

// addExplain adds `explain`.
func addExplain(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("explain", "Say what a cycle saw, decided and did, and what came of it; from the journal alone.")
	var (
		cycle  = c.Arg("cycle", "The cycle; the last one if it is left out.").Uint64()
		state  = c.Flag("state-directory", "The daemon's state_directory.").Default("/var/lib/windvane").String()
		mesh   = c.Flag("mesh", "The mesh; needed where there are several.").String()
		asJSON = c.Flag("json", "Print JSON.").Bool()
	)
	commands["explain"] = func() error {
		e, err := explain.Cycle(daemon.JournalDirectory(*state), *mesh, *cycle)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, e)
		}
		return e.WriteText(stdout)
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
