// Package draft writes a first configuration for a mesh that runs: what its
// VirtualServices have becomes services with routes, what Prometheus has becomes signals
// and proposals for bounds. Everything is in authority observe, and what was not found
// out is a comment.
//
// What lives here is reading, choosing and writing. Nothing in the cluster is changed, and
// no file is overwritten. Whether the result is right is the reader's to say, and
// package doctor's to look at.
package draft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/rules"
)

// Options say what is looked at.
type Options struct {
	PrometheusURL  string
	Prometheus     probe.API
	Cluster        rest.Interface
	KubeconfigFile string // absolute; empty: as kubectl finds it
	Context        string
	Namespace      string        // empty: all
	Timeout        time.Duration // of each question
	At             time.Time
}

// Draft is a first configuration.
type Draft struct {
	Files    []File
	Services int
	Left     []Left   // what was not taken over
	Notes    []string // what could not be found out
}

// File is one file of it; Path is relative, with slashes.
type File struct{ Path, Text string }

// Left is a route that was not taken over.
type Left struct {
	Namespace string
	Route     string // as in default/front/reviews
	Why       string // and what to change
}

// service is what becomes a [[service]].
type service struct {
	name   string
	routes []rules.Route
	seen   bool // Prometheus has requests of it
	bound  proposal
}

// ErrNothing says that no route can be set as it is.
var ErrNothing = errors.New("no route with a name and at least two destinations was found, so that there is nothing to write")

// Make reads the cluster and Prometheus. An API server that does not answer is an error;
// without Prometheus there is a draft without bounds. With ErrNothing the draft says what
// to change.
func Make(ctx context.Context, o Options) (Draft, error) {
	listing, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	found, err := istio.List(listing, o.Cluster, o.Namespace)
	if err != nil {
		return Draft{}, fmt.Errorf("%w; a configuration starts from the VirtualServices: give --kubeconfig, --context, or the --namespace in which they may be listed", err)
	}
	var d Draft
	meshes := d.choose(found)
	if len(meshes) == 0 {
		return d, ErrNothing
	}
	s := newSignals(ctx, o)
	d.Notes = s.notes
	d.Files = append(d.Files, File{"windvane.toml", daemonText(o, s)})
	for _, m := range meshes {
		for i := range m.services {
			name := m.services[i].name
			m.services[i].seen, m.services[i].bound = s.offered[name], s.bounds[name]
			d.Services++
		}
		left := slices.DeleteFunc(slices.Clone(d.Left), func(l Left) bool { return l.Namespace != m.name })
		f := File{"rules.d/" + m.name + ".toml", meshText(m, s, left)}
		if _, err := rules.Parse(f.Path, []byte(f.Text)); err != nil {
			return d, fmt.Errorf("what was found makes no rules file that windvane takes: %w", err)
		}
		d.Files = append(d.Files, f)
	}
	return d, nil
}
