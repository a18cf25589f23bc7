package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/loop"
)

// Registry returns the daemon's metrics.
func Registry(d *Daemon) *prometheus.Registry { return d.registry }

// FeedMetrics counts a report that no run is as quick to make.
func FeedMetrics(d *Daemon, r loop.Report) { d.metrics.cycle(r, 5*time.Second, 0) }
