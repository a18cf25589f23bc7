package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lease"
	"github.com/windvane/windvane/rules"
)

// ReleaseOptions say what is to be given back.
type ReleaseOptions struct {
	ConfigFile string
	Mesh       string // empty: all
	Force      bool   // over the changes of others
	DryRun     bool   // the API server does all but store it
	Running    bool   // although a daemon runs on the journal
	At         time.Time
}

// ReleasedMesh is what became of one mesh.
type ReleasedMesh struct {
	Mesh    string             `json:"mesh"`
	Journal string             `json:"journal,omitempty"` // why the journal could not tell the baselines
	Objects []actuate.Released `json:"objects"`
}

// Release puts the settings of meshes back to what they were before windvane wrote any of
// them. It needs the files, the API server, and the journal or else the annotations, but
// no daemon; one that runs would set them again, and so it is an error if there is one,
// unless o.Running says that its authority has been lowered. Where several daemons share a
// lease it takes that first, if nobody holds it any more. What was given back is
// returned even with an error, which joins all that was not.
func Release(ctx context.Context, o ReleaseOptions) ([]ReleasedMesh, error) {
	c, err := config.Load(o.ConfigFile, BuiltinNames())
	if err != nil {
		return nil, err
	}
	meshes, err := chosen(c, o.Mesh)
	if err != nil {
		return nil, err
	}
	shared, err := o.hold(ctx, c)
	if err != nil {
		return nil, err
	}
	defer shared.stop(&generation{})
	cluster, err := newKubernetesClient(c.Kubernetes, shared.fence())
	if err != nil {
		return nil, err
	}
	defer cluster.http.CloseIdleConnections()
	var handover *lease.Handover
	if c.Lease.Name != "" {
		handover = lease.NewHandover(cluster.rest, c.Lease.Namespace, c.Lease.Name)
	}
	var j *journal.Journal
	if !o.Running && !o.DryRun {
		j, _, err = journal.Open(JournalDirectory(c.StateDirectory))
		if _, damaged := errors.AsType[*journal.DamageError](err); err != nil && !damaged {
			return nil, fmt.Errorf("release: %w; beside a running daemon, `windvane mode MESH observe` first, and then say --running", err)
		}
		if j != nil {
			defer func() { _ = j.Close() }() // each record is durable
		}
	}
	var out []ReleasedMesh
	var errs []error
	for _, m := range meshes {
		r, err := releaseMesh(ctx, m, cluster, handover, JournalDirectory(c.StateDirectory), o)
		out = append(out, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("mesh %s: %w", m.Name, err))
			continue
		}
		if j != nil {
			_, err = j.Append(o.At, m.Name, journal.KindRelease, journal.Release{Objects: names(r.Objects), Forced: o.Force}, true)
			errs = append(errs, err)
		}
		if shared != nil {
			errs = append(errs, handOverReleased(ctx, handover, m.Name))
		}
	}
	return out, errors.Join(errs...)
}

func names(released []actuate.Released) []string {
	out := []string{}
	for _, r := range released {
		if r.Baseline != "" {
			out = append(out, r.Object)
		}
	}
	return out
}

func chosen(c *config.Config, name string) ([]*rules.Mesh, error) {
	if name == "" {
		return c.Meshes, nil
	}
	var known []string
	for _, m := range c.Meshes {
		if m.Name == name {
			return []*rules.Mesh{m}, nil
		}
		known = append(known, m.Name)
	}
	return nil, rules.Problems{{File: c.File, Message: fmt.Sprintf("no mesh %q", name), Hint: rules.Suggest(name, known)}}
}

// releaseMesh gives one mesh back. What the journal cannot tell, the annotations do.
func releaseMesh(ctx context.Context, m *rules.Mesh, cluster kubernetesClient, h *lease.Handover, dir string, o ReleaseOptions) (ReleasedMesh, error) {
	out := ReleasedMesh{Mesh: m.Name, Objects: []actuate.Released{}}
	routes, replicas, err := newActuators(m, cluster)
	if err != nil {
		return out, err
	}
	left, err := resume(dir, m.Name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		out.Journal = err.Error()
	}
	if left, err = newerOf(ctx, h, m.Name, dir, left); err != nil {
		return out, err
	}
	out.Objects, err = actuate.Release(ctx, []actuate.Releaser{routes, replicas}, actuate.ReleaseOptions{
		Known: left.Baseline, Commanded: left.Left(), Force: o.Force, DryRun: o.DryRun,
	})
	return out, err
}
