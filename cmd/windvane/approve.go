package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
)

// addApprove adds `approve`.
func addApprove(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("approve", "List the plans that wait for a person, or have one applied: the next cycle does, exactly as it is, if it still admits it.")
	daemon := addClient(c)
	id := c.Arg("id", "The plan's ID; left out: list them.").String()
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["approve"] = func() error {
		if *id != "" {
			if err := daemon.do(http.MethodPost, "/api/v1/plans/"+url.PathEscape(*id)+"/approve", struct{}{}, nil); err != nil {
				return err
			}
		}
		var plans []api.Plan
		if err := daemon.get("/api/v1/plans", &plans); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, plans)
		}
		return printPlans(stdout, plans, *id)
	}
}

func printPlans(w io.Writer, plans []api.Plan, approved string) error {
	var lines []string
	for _, p := range plans {
		if approved == "" || p.ID == approved {
			lines = append(lines, p.Lines()...)
		}
	}
	switch {
	case len(lines) > 0:
	case approved != "":
		lines = []string{fmt.Sprintf("plan %s is approved; `windvane explain` tells what becomes of it", approved)}
	default:
		lines = []string{"no plan waits for approval"}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
