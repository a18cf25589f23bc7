package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/internal/progress"
)

// exploring is what `collect --explore` was asked for, beside what is collected afterwards.
type exploring struct {
	client    *client
	wanted    bool
	allowance float64
	given     bool // the allowance
	request   api.ExplorationRequest
	mesh      string
}

// allowedShare of the intervals may be extra violations of each objective, unless it is said.
const allowedShare = .05

func addExplore(c *kingpin.CmdClause) *exploring {
	x := &exploring{client: &client{}}
	c.Flag("explore", "First have the daemon try settings, under the guard, with the authority to act; then collect since it began. Ctrl-C pauses it, and the same command goes on with it.").BoolVar(&x.wanted)
	c.Flag("intervals", "With --explore: how many intervals to measure.").Default("300").IntVar(&x.request.Intervals)
	c.Flag("allowance", "With --explore: how many violated intervals of each objective it may cost beyond those that there would have been without it. Default: one in 20 of --intervals.").IsSetByUser(&x.given).Float64Var(&x.allowance)
	c.Flag("seed", "With --explore: of what is tried.").Default("1").Uint64Var(&x.request.Seed)
	c.Flag("url", "With --explore: the daemon's address, as of `windvane status`.").StringVar(&x.client.url)
	c.Flag("daemon.http.config.file", "With --explore: how to authenticate to the daemon by HTTP.").PlaceHolder("FILE").StringVar(&x.client.httpConfig)
	return x
}

// explore has the daemon explore a mesh, and returns since when it has. Where it is
// interrupted, it is paused.
func (x *exploring) explore(ctx context.Context, mesh string, interval time.Duration, p *progress.Meter) (time.Time, error) {
	x.mesh = mesh
	if x.request.Allowance = x.allowance; !x.given {
		x.request.Allowance = allowedShare * float64(x.request.Intervals)
	}
	path := "/api/v1/meshes/" + url.PathEscape(mesh)
	if err := x.client.do(http.MethodPut, path+"/exploration", x.request, nil); err != nil {
		return time.Time{}, err
	}
	poll := time.NewTicker(min(interval, time.Second))
	defer poll.Stop()
	for {
		var m api.Mesh
		err := x.client.get(path, &m)
		_, dead := errors.AsType[unreachableError](err)
		switch {
		case dead:
			p.Remark("no daemon answers, and it is waited for")
		case err != nil:
			return time.Time{}, err
		case m.Exploration == nil:
			return time.Time{}, fmt.Errorf("the daemon at %s knows of no exploration of mesh %s any more; its log says why", x.client.name(), mesh)
		default:
			if over, err := x.tell(m.Exploration, p); over || err != nil {
				return m.Exploration.Began, err
			}
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return time.Time{}, x.pause(path)
		}
	}
}

// tell shows how far it is, and reports whether it is over.
func (x *exploring) tell(is *api.Exploration, p *progress.Meter) (over bool, err error) {
	switch is.Phase {
	case "done":
		return true, nil
	case "failed":
		return true, fmt.Errorf("exploring mesh %s ended after %d of %d intervals: %s; what was measured can be collected without --explore, with --from %s", x.mesh, is.Measured, is.Intervals, is.Waiting, is.Began.UTC().Format(time.RFC3339))
	case "paused":
		return true, fmt.Errorf("exploring mesh %s was %s after %d of %d intervals; the same command goes on with it", x.mesh, is.Waiting, is.Measured, is.Intervals)
	}
	p.Count("intervals explored", is.Measured, is.Intervals)
	extra, most := is.Largest()
	remark := fmt.Sprintf("%.1f extra violations, likely at most %.1f, of %g", extra, most, is.Allowance)
	if is.Protective {
		remark += "; only protective settings are tried"
	}
	if is.Waiting != "" {
		remark += "; waits: " + is.Waiting
	}
	p.Remark(remark)
	return false, nil
}

// pause stops it; whoever wants to may go on with it.
func (x *exploring) pause(path string) error {
	if err := x.client.do(http.MethodDelete, path+"/exploration", nil, nil); err != nil {
		return fmt.Errorf("collect: %w, and exploring goes on, because it could not be paused: %w", errStopped, err)
	}
	return fmt.Errorf("collect: %w: exploring is paused, and the same command goes on with it", errStopped)
}

// lines say what it has cost, objective by objective.
func (x *exploring) lines() (string, error) {
	var m api.Mesh
	if err := x.client.get("/api/v1/meshes/"+url.PathEscape(x.mesh), &m); err != nil || m.Exploration == nil {
		return "", err
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "explored %d intervals since %s\n", m.Exploration.Measured, m.Exploration.Began.Format(time.RFC3339))
	for _, s := range m.Exploration.Spent {
		_, _ = fmt.Fprintf(&b, "  %s of %s: %.0f violated while settings were tried, %.1f ± %.1f expected without: %+.1f extra, of %g allowed\n",
			s.Signal, s.Service, s.Violated, s.Baseline, s.Unsure, s.Extra, m.Exploration.Allowance)
	}
	return b.String() + "\n", nil
}
