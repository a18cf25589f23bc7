package stack

import (
	"fmt"
	"strings"
	"time"

	"github.com/windvane/windvane/rules"
)

// RulesOptions are what differs between the rules files for the shop.
type RulesOptions struct {
	Authority rules.Authority
	Interval  time.Duration
	Bounds    map[string]time.Duration // of the p95, by service: one of Envoy's buckets
	Policies  string                   // the [[policy]] tables
}

// Budget is the error budget of the shop's objectives.
const Budget = .05

// Rules is windvane's rules file for the shop. Weights in quarters and blocking in seven
// levels make a grid of 1,225 actions.
func Rules(o RulesOptions) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, `mesh = "shop"
prometheus = "main"
interval = %q
settle = "200ms"

[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'

[guard]
authority = %q
max_step = 0.25
total_blocking = 0.8
changes_per_hour = 100000
`, o.Interval, o.Authority)
	for _, s := range Services {
		_, _ = fmt.Fprintf(&b, `
[[service]]
name = %q
value = 1.0

  [[service.objective]]
  signal = "latency"
  bound = "%dms"
  target = %v
  window = "5m"

  [[service.route]]
  virtual_service = "default/front"
  http = %q
  destinations = ["v1", "v2"]
  levels = 5

  [service.blocking]
  maximum = 0.8
  levels = 7
`, s, o.Bounds[s].Milliseconds(), 1-Budget, s)
	}
	b.WriteString(o.Policies)
	return b.String()
}
