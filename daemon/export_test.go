package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// NewDecided is New with a policy of the test's that decides, and with a disk under the
// journal.
func NewDecided(ctx context.Context, o Options, disk journal.Disk, p policy.Policy) (*Daemon, error) {
	o.disk = disk
	d, err := New(ctx, o)
	if err == nil && p != nil {
		for _, m := range d.current.Load().meshes {
			m.policies.substitute("test", p)
		}
	}
	return d, err
}

// substitute has a policy of a test's be the active one, in the place of the declared one.
func (p *policies) substitute(name string, with policy.Policy) {
	p.declared = slices.DeleteFunc(p.declared, func(x *declared) bool { return x.Role == rules.RoleActive })
	p.declared = append(p.declared, &declared{PolicyRef: rules.PolicyRef{Name: name, Role: rules.RoleActive}, kind: name, policy: with})
}

// Registry returns the daemon's metrics.
func Registry(d *Daemon) *prometheus.Registry { return d.registry }

// FeedMetrics counts a report that no run is as quick to make.
func FeedMetrics(d *Daemon, r loop.Report) { d.metrics.cycle(r, 5*time.Second, 0) }

// FeedPromotion has the metrics say what they say when a block of cycles is whole.
func FeedPromotion(d *Daemon, mesh, policy string, items []promotion.Item, regions []*promotion.Region) {
	d.metrics.promotion.gate(mesh, policy, items)
	d.metrics.promotion.gap(mesh, regions)
}
