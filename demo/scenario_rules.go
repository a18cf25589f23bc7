package demo

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/windvane/windvane/rules"
)

// RulesOptions are what changes of the mesh's rules file between the demo's parts.
type RulesOptions struct {
	Authority rules.Authority
	Policies  []rules.PolicyRef // whole-number settings only
	Directory string            // of the file: artefacts are relative to it

	levels int // of each service's blocking; 0: blockingLevels
}

// RulesFile is the name of the mesh's rules file in its directory.
const RulesFile = MeshName + ".toml"

// Rules returns the mesh's rules file. The cap on all blocking is no lower than each
// service's own: a policy that sheds all it may is then not edited, and what comes of
// it counts.
func Rules(o RulesOptions) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `mesh = %q
prometheus = "main"
interval = "5s"
settle = "500ms"

[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
split = 'windvane:split:ratio'
`, MeshName)
	levels := cmp.Or(o.levels, blockingLevels)
	writeService(&b, compute, computeBound, levels)
	writeService(&b, information, informationBound, levels)
	fmt.Fprintf(&b, `
[guard]
authority = %q
max_step = 0.25
total_blocking = 0.8
changes_per_hour = 3600
`, o.Authority)
	for _, p := range o.Policies {
		fmt.Fprintf(&b, "\n[[policy]]\nname = %q\nplugin = %q\nrole = %q\n", p.Name, p.Plugin, p.Role)
		if p.Artefact != "" {
			fmt.Fprintf(&b, "artefact = %q\n", p.Artefact)
		}
		if len(p.Settings) > 0 {
			b.WriteString("[policy.settings]\n")
			for _, k := range slices.Sorted(maps.Keys(p.Settings)) {
				fmt.Fprintf(&b, "%s = %d\n", k, p.Settings[k])
			}
		}
	}
	return []byte(b.String())
}

// blockingLevels are those of each service.
const blockingLevels = 7

// writeService writes a service. Weights in quarters and blocking in seven levels
// make a grid of 5*5*7*7 = 1,225 actions; quarters are whole percents, so that what
// is read back is on the grid, and one of them is the largest step.
func writeService(b *strings.Builder, name string, bound float64, levels int) {
	fmt.Fprintf(b, `
[[service]]
name = %q
value = 1.0

  [[service.objective]]
  signal = "latency"
  bound = "%.0fms"
  target = %g

  [[service.route]]
  virtual_service = "default/%s"
  http = %q
  destinations = ["v1", "v2"]
  levels = 5

  [service.blocking]
  maximum = 0.8
  levels = %d
`, name, 1000*bound, 1-Budget, MeshName, name, levels)
}

// ParseRules parses what Rules writes.
func ParseRules(o RulesOptions) (*rules.Mesh, error) {
	return rules.Parse(filepath.Join(o.Directory, RulesFile), Rules(o))
}

// pluginsText are the [plugin] tables that Rules refers to. Their deadlines are far away:
// time is virtual, and no slow machine shall change a result.
const pluginsText = `
[plugin.planner]
builtin = "tabular"
deadline = "2m"

[plugin.explorer]
builtin = "explore"
deadline = "2m"

[plugin.rules]
builtin = "threshold"
`
