package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/explain"
)

// addExplain adds `explain`.
func addExplain(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("explain", "Say what a cycle saw, decided and did, and what came of it; from the journal alone, which a daemon may read out.")
	var (
		d      = decisions{client: addClient(c)}
		cycle  = c.Arg("cycle", "The cycle; the last one if it is left out.").Uint64()
		mesh   = c.Flag("mesh", "The mesh; needed where there are several.").String()
		asJSON = c.Flag("json", "Print JSON.").Bool()
	)
	c.Flag("state-directory", "The daemon's state_directory: its journal is read, and no daemon is asked.").PlaceHolder("DIR").StringVar(&d.state)
	commands["explain"] = func() error {
		e, err := d.explain(*mesh, *cycle)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, e)
		}
		return e.WriteText(stdout)
	}
}

func (d *decisions) explain(mesh string, cycle uint64) (*explain.Explanation, error) {
	if d.state != "" {
		return explain.Cycle(daemon.JournalDirectory(d.state), mesh, cycle)
	}
	id, err := explain.Find(d.page, mesh, cycle)
	if err != nil {
		return nil, err
	}
	var e explain.Explanation
	return &e, d.client.get("/api/v1/decisions/"+strconv.FormatUint(id, 10), &e)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
