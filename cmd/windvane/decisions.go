package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/explain"
)

// pageLimit is how many decisions are asked for at a time.
const pageLimit = 500

// decisions is the subcommand's arguments.
type decisions struct {
	client *client
	state  string
	query  explain.Query
	since  string
}

// addDecisions adds `decisions`.
func addDecisions(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("decisions", "List what was decided, a line for each cycle, newest first. `windvane explain CYCLE` tells the whole of one.")
	d := decisions{client: addClient(c)}
	c.Flag("state-directory", "The daemon's state_directory: its journal is read, and no daemon is asked.").PlaceHolder("DIR").StringVar(&d.state)
	c.Flag("mesh", "Of this mesh only.").StringVar(&d.query.Mesh)
	c.Flag("limit", "At most so many.").Default("20").IntVar(&d.query.Limit)
	c.Flag("since", "None older: a duration such as 90m or 7d, or a time such as 2026-01-02T15:04:05Z.").StringVar(&d.since)
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["decisions"] = func() error {
		found, err := d.find()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, found)
		}
		if len(found) == 0 {
			_, err := fmt.Fprintln(stdout, "no decisions")
			return err
		}
		return explain.WriteDecisions(stdout, found)
	}
}

// find reads page after page until there are as many as are wanted.
func (d *decisions) find() ([]explain.Decision, error) {
	if d.query.Limit < 1 {
		return nil, usageError{fmt.Errorf("--limit %d: at least 1", d.query.Limit)}
	}
	if d.since != "" {
		var err error
		if d.query.Since, err = explain.ParseSince(d.since, time.Now()); err != nil {
			return nil, usageError{fmt.Errorf("--since: %w", err)}
		}
	}
	out := []explain.Decision{}
	for q := d.query; len(out) < d.query.Limit; {
		q.Limit = min(pageLimit, d.query.Limit-len(out))
		found, next, err := d.page(q)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		if next == 0 {
			break
		}
		q.Before = next
	}
	return out, nil
}

// page reads the journal, or asks the daemon.
func (d *decisions) page(q explain.Query) ([]explain.Decision, uint64, error) {
	if d.state != "" {
		return explain.Decisions(context.Background(), daemon.JournalDirectory(d.state), q)
	}
	v := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	if q.Mesh != "" {
		v.Set("mesh", q.Mesh)
	}
	if q.Before > 0 {
		v.Set("before", strconv.FormatUint(q.Before, 10))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339))
	}
	var page api.Decisions
	err := d.client.get("/api/v1/decisions?"+v.Encode(), &page)
	if _, dead := errors.AsType[unreachableError](err); dead {
		err = fmt.Errorf("%w; --state-directory reads the journal without one", err)
	}
	return page.Decisions, page.Next, err
}
