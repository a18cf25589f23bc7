package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/rules"
)

// DoctorOptions say what is to be looked at.
type DoctorOptions struct {
	ConfigFile       string
	Mesh             string // empty: all
	RuntimeDirectory string // empty: none is set
	Timeout          time.Duration
	Now              func() time.Time
}

// Doctor looks at everything that the daemon would run with: files, Prometheus, the API
// server, the journal. It needs no daemon, writes nothing, and what it cannot reach is in
// the report. Files that cannot be used are in the report, too; the error is of a file
// that is not there, or of a mesh that is not in it.
func Doctor(ctx context.Context, o DoctorOptions) (doctor.Report, error) {
	c, err := config.Load(o.ConfigFile, BuiltinNames())
	if problems, ok := errors.AsType[rules.Problems](err); ok {
		return doctor.Refused(problems), nil
	}
	if err != nil {
		return doctor.Report{}, err
	}
	meshes, err := chosen(c, o.Mesh)
	if err != nil {
		return doctor.Report{}, err
	}
	do := doctor.Options{
		Config: c, Sources: map[string]doctor.Source{}, JournalDirectory: JournalDirectory(c.StateDirectory),
		ArtefactDirectory: ArtefactDirectory(c.StateDirectory),
		RuntimeDirectory:  o.RuntimeDirectory, Timeout: o.Timeout, Now: o.Now,
	}
	clients := map[string]prometheusClient{}
	for _, p := range c.Prometheus {
		client, err := newPrometheusClient(p)
		if err != nil {
			do.Sources[p.Name] = doctor.Source{Err: err}
			continue
		}
		defer client.http.CloseIdleConnections()
		clients[p.Name], do.Sources[p.Name] = client, doctor.Source{API: client.whole}
	}
	cluster, err := newKubernetesClient(c.Kubernetes, nil)
	if err != nil {
		do.ClusterErr = err
	} else {
		defer cluster.http.CloseIdleConnections()
		do.Cluster = cluster.rest
	}
	for _, m := range meshes {
		built, err := doctorMesh(c, m, clients[m.Prometheus], cluster)
		if err != nil {
			return doctor.Report{}, fmt.Errorf("%s: %w", m.File, err)
		}
		do.Meshes = append(do.Meshes, built)
	}
	return doctor.Examine(ctx, do), nil
}

// doctorMesh builds what a mesh would observe and set by. Without a client of Prometheus
// it has no observer; the actuators need none to say what they would ask for.
func doctorMesh(c *config.Config, m *rules.Mesh, source prometheusClient, cluster kubernetesClient) (doctor.Mesh, error) {
	out := doctor.Mesh{Rules: m}
	var err error
	if source.api != nil {
		if out.Observer, err = newObserver(c, m, source); err != nil {
			return out, err
		}
	}
	out.Routes, out.Replicas, err = newActuators(m, cluster)
	return out, err
}
