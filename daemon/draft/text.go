package draft

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/rules"
)

// quoted writes a TOML string; what JSON writes is one.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // of a string there is none
		return `""`
	}
	return string(b)
}

// comment writes lines that begin with #, whatever is in the text.
func comment(b *strings.Builder, indent, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, line)
		fmt.Fprintf(b, "%s# %s\n", indent, strings.TrimSpace(line))
	}
}

const daemonHead = `# A first windvane.toml, written by ` + "`windvane init`" + ` from what was found. Read it, change it,
# and look at it with: windvane check config windvane.toml; windvane doctor
rules = ["rules.d/*.toml"]
state_directory = "/var/lib/windvane"  # the journal; it has to survive restarts

[prometheus.main]
url = %s
# query_offset = "1s"          # how late scrapes may be
#   [prometheus.main.http]     # any key of Prometheus' http_config: basic_auth, tls_config, …

[kubernetes]                   # both empty: as in a pod, and then as kubectl does
kubeconfig_file = %s
context = %s

[plugin.rules]                 # thresholds need no model; a trained policy comes later
builtin = "threshold"
`

func daemonText(o Options, s *signals) string {
	var b strings.Builder
	fmt.Fprintf(&b, daemonHead, quoted(o.PrometheusURL), quoted(o.KubeconfigFile), quoted(o.Context))
	for _, n := range s.notes {
		comment(&b, "", "Not found out: "+n)
	}
	return b.String()
}

// meshText writes a rules file.
func meshText(m mesh, s *signals, left []Left) string {
	var b strings.Builder
	comment(&b, "", "The services of namespace "+m.name+", as `windvane init` found them. Nothing is set: authority is observe.")
	fmt.Fprintf(&b, "mesh = %s\nprometheus = \"main\"\ninterval = %s\nsettle = %s                  # until proxies have taken a change up\n",
		quoted(m.name), quoted(model.Duration(s.interval).String()), quoted(model.Duration(rules.DefaultSettle).String()))
	if s.scrape > 0 {
		fmt.Fprintf(&b, "scrape_interval = %s        # as seen\n", quoted(model.Duration(s.scrape).String()))
	}
	s.signalText(&b)
	for _, service := range m.services {
		s.serviceText(&b, service)
	}
	b.WriteString(`
[guard]
authority = "observe"          # decide and record, write nothing; then "approve", then "act"
max_step = 0.2
total_blocking = 0.5

[[policy]]
name = "thresholds"
plugin = "rules"
role = "active"
`)
	if len(left) > 0 {
		b.WriteString("\n")
		comment(&b, "", "Not taken over, with what to change in the VirtualService:")
		for _, l := range left {
			comment(&b, "", "  "+l.Route+": "+l.Why)
		}
	}
	return b.String()
}

func (s *signals) signalText(b *strings.Builder) {
	b.WriteString("\n[signals]\n")
	fmt.Fprintf(b, "by = %s\n", quoted(rules.DefaultBy))
	if !s.recorded {
		comment(b, "", "The recording rules of deploy/prometheus/istio.rules.yml are not loaded. Load them, and write windvane:offered:rate,\n"+
			"windvane:carried:rate, windvane:latency_seconds:p95 and windvane:split:ratio in place of these: it costs Prometheus less.")
	}
	for _, is := range shipped {
		expr := s.exprs[is.signal]
		if is.signal == rules.SignalSplit {
			comment(b, "", "whether requests follow the weights: its label "+rules.SplitLabel+" has to have the destinations' names")
		}
		if s.recorded {
			fmt.Fprintf(b, "%s = %s\n", is.signal, quoted(expr))
			continue
		}
		fmt.Fprintf(b, "%s = '''\n%s'''\n", is.signal, expr)
	}
}

func (s *signals) serviceText(b *strings.Builder, v service) {
	fmt.Fprintf(b, "\n[[service]]\nname = %s\nvalue = 1.0                    # worth of a carried request, against the other services\n", quoted(v.name))
	if !v.seen {
		comment(b, "", "Prometheus has no requests of it now: is the name that of destination_service_name?")
	}
	b.WriteString("\n")
	if v.bound.measured > 0 {
		what := fmt.Sprintf("A PROPOSAL, yours to decide: %s was the 95th percentile of the last %d days", duration(v.bound.measured), days)
		if s.recorded {
			what = fmt.Sprintf("A PROPOSAL, yours to decide: the 95th percentile was at most %s in 95 %% of the last %d days", duration(v.bound.measured), days)
		}
		if v.bound.bucket {
			what += ";\nthis is where the next bucket of the histogram ends, so that it can be measured exactly."
		} else {
			what += ";\nno bucket of the histogram is known to end there, so that it may be measured badly."
		}
		comment(b, "  ", what)
		fmt.Fprintf(b, "  [[service.objective]]\n  signal = \"latency\"\n  bound = %s\n  target = 0.95                # of the intervals: an error budget of 5 %%\n  window = \"1h\"\n", quoted(duration(v.bound.bound)))
	} else {
		comment(b, "  ", "How slow it may be is yours to decide; nothing was measured that could be proposed.\n"+
			"[[service.objective]]\nsignal = \"latency\"\nbound = \"250ms\"\ntarget = 0.95\nwindow = \"1h\"")
	}
	for _, r := range v.routes {
		var destinations []string
		for _, d := range r.Destinations {
			destinations = append(destinations, quoted(d))
		}
		fmt.Fprintf(b, "\n  [[service.route]]\n  virtual_service = %s\n  http = %s\n  destinations = [%s]\n", quoted(r.VirtualService), quoted(r.HTTP), strings.Join(destinations, ", "))
	}
	b.WriteString("\n  [service.blocking]           # what may be refused at most, when there is more load than can be carried in time\n  maximum = 0.5\n  status = 429\n")
}

// duration writes seconds as Prometheus writes durations, to the millisecond.
func duration(seconds float64) string {
	d := time.Duration(math.Ceil(seconds*1000-1e-6)) * time.Millisecond
	return model.Duration(max(d, time.Millisecond)).String()
}
