package config

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/windvane/windvane/rules"
)

// cross checks what the files say of each other.
func (l *loader) cross() rules.Problems {
	var out rules.Problems
	owners := map[string]string{} // by what only one mesh may have
	own := func(m *rules.Mesh, key, what string) {
		if file, taken := owners[what]; taken && file != m.File {
			out = append(out, m.Problem(key, what+" is also in "+file, "two meshes must not set the same thing"))
			return
		}
		owners[what] = m.File
	}
	for _, m := range l.config.Meshes {
		own(m, "mesh", fmt.Sprintf("mesh %q", m.Name))
		if len(l.sources) > 0 && !slices.Contains(l.sources, m.Prometheus) { // none at all is reported once
			out = append(out, m.Problem("prometheus", fmt.Sprintf("no [prometheus.%s] in %s", m.Prometheus, l.config.File), rules.Suggest(m.Prometheus, l.sources)))
		}
		for i, s := range m.Services {
			if s.Blocking != nil && len(s.Routes) == 0 { // which a simulation may have
				out = append(out, m.Problem(at("service", i)+".blocking", "the service has no route on which requests could be blocked in Istio", "add a [[service.route]]"))
			}
			for j, r := range s.Routes {
				own(m, at(at("service", i)+".route", j), fmt.Sprintf("route %q of %s", r.HTTP, r.VirtualService))
			}
		}
		for i, w := range m.Workloads {
			own(m, at("workload", i), "deployment "+w.Deployment)
		}
		for i, p := range m.Policies {
			if !slices.Contains(l.plugins, p.Plugin) {
				out = append(out, m.Problem(at("policy", i)+".plugin", fmt.Sprintf("no [plugin.%s] in %s", p.Plugin, l.config.File), rules.Suggest(p.Plugin, l.plugins)))
			}
		}
	}
	return out
}

// warn collects what is allowed but unwise.
func (l *loader) warn() {
	l.config.warnings = l.warnings
	for _, p := range l.config.Plugins {
		if len(p.Command) > 0 && p.SHA256 == "" {
			l.config.warnings = append(l.config.warnings, l.doc.Problem("plugin."+p.Name+".command",
				"the program is not verified", `add sha256 = "…"`))
		}
	}
	for _, m := range l.config.Meshes {
		l.warnTimes(m)
		for i, ref := range m.Policies {
			if p, ok := l.config.Plugin(ref.Plugin); ok && p.Deadline >= m.Interval {
				l.config.warnings = append(l.config.warnings, m.Problem(at("policy", i)+".plugin",
					fmt.Sprintf("the plugin may take %v, no less than the interval of %v", p.Deadline, m.Interval), "lower plugin."+p.Name+".deadline"))
			}
		}
	}
}

// warnTimes holds what a mesh's Prometheus source may take against the interval.
func (l *loader) warnTimes(m *rules.Mesh) {
	p, _ := l.config.Source(m.Prometheus)
	add := func(key, message, hint string) {
		l.config.warnings = append(l.config.warnings, l.doc.Problem("prometheus."+p.Name+"."+key, message, hint))
	}
	if p.Timeout >= m.Interval {
		add("timeout", fmt.Sprintf("a cycle of mesh %s may wait %v for its signals, no less than its interval of %v", m.Name, p.Timeout, m.Interval),
			"lower it, or remove it: two fifths of the interval are the default")
	}
	if p.QueryOffset >= m.Interval {
		add("query_offset", fmt.Sprintf("mesh %s sees its signals %v late, no less than its interval of %v", m.Name, p.QueryOffset, m.Interval),
			"each interval of delay costs carried load: lower it to what late scrapes need")
	}
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
