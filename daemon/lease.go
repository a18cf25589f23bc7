package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/lease"
)

// sharedLease is the lease of a daemon that is not the only one. Nil is that of one that is:
// it has no fence, and its methods do nothing.
type sharedLease struct {
	*lease.Lease

	lease      config.Lease
	kubernetes config.Kubernetes // by which it is asked for
	running    background
	close      func()
}

// newSharedLease returns the lease that a configuration has; nil: none. It is not asked for yet.
func newSharedLease(c *config.Config, logger *slog.Logger) (*sharedLease, error) {
	if c.Lease.Name == "" {
		return nil, nil //nolint:nilnil // its methods do nothing
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("lease: who asks for it: %w", err)
	}
	k, err := kubernetesConfig(c.Kubernetes)
	if err != nil {
		return nil, err
	}
	// A request that is not answered is given up in time for another. The connection is its
	// own, as nothing else may hold up a renewal.
	k.Timeout = c.Lease.Duration / 5
	k.ContentType = "application/json" // as all else that is written
	transport, err := rest.HTTPClientFor(k)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	client, err := coordination.NewForConfigAndClient(k, transport)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	l, err := lease.New(lease.Options{
		Client: client, Namespace: c.Lease.Namespace, Name: c.Lease.Name, Duration: c.Lease.Duration,
		Identity: host + "_" + rand.Text()[:10], Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &sharedLease{Lease: l, lease: c.Lease, kubernetes: c.Kubernetes, close: transport.CloseIdleConnections}, nil
}

// fence is what every client that can write has below it; nil: nothing.
func (s *sharedLease) fence() func(http.RoundTripper) http.RoundTripper {
	if s == nil {
		return nil
	}
	return s.Fence
}

// same says what of a configuration that is to be loaded is not as it was, and may not change
// while the daemon runs.
func (s *sharedLease) same(c *config.Config) error {
	switch {
	case s == nil && c.Lease.Name == "":
		return nil
	case s == nil || c.Lease != s.lease:
		return errors.New("[lease] changed; restart for that")
	case c.Kubernetes != s.kubernetes:
		return errors.New("[kubernetes] changed, by which the lease is held; restart for that")
	}
	return nil
}

func (s *sharedLease) start(ctx context.Context) {
	if s != nil {
		s.running.start(ctx, s.Run)
	}
}

// stop hands over what there is, and gives the lease up. No cycle may run any more.
func (s *sharedLease) stop(g *generation) {
	if s == nil {
		return
	}
	for _, m := range g.meshes {
		m.standby.finish()
	}
	s.running.stop()
	s.close()
}

// handover is what goes over with the lease; nil: nothing does.
func (s *sharedLease) handover(fenced kubernetesClient) *lease.Handover {
	if s == nil {
		return nil
	}
	return lease.NewHandover(fenced.rest, s.lease.Namespace, s.lease.Name)
}

// share has the mesh be acted upon only while this daemon holds the lease, if there is one.
func (m *mesh) share(d *Daemon, h *lease.Handover) {
	if h == nil {
		return
	}
	name := m.rules.Name
	m.standby = &standby{
		Mesh: d.authority.Mesh(name), store: d.authority, roles: m.standings, journal: d.journal, lease: d.lease.Lease,
		handover: h, mesh: name, timeout: m.options.Timeout, logger: m.options.Logger,
	}
	m.options.Authority, m.options.Journal = m.standby, m.standby
}
