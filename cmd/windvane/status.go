package main

import (
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
)

// addStatus adds `status`.
func addStatus(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("status", "Show what the running daemon does.")
	daemon := addClient(c)
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["status"] = func() error {
		var s api.Status
		if err := daemon.get("/api/v1/status", &s); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, s)
		}
		return s.WriteText(coloured(stdout))
	}
}
