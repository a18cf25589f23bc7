package draft

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/rules"
)

// The signals of a mesh, by the recording rules that give them.
var shipped = []struct{ signal, rule string }{
	{"offered", "windvane:offered:rate"},
	{"carried", "windvane:carried:rate"},
	{"latency", "windvane:latency_seconds:p95"},
	{rules.SignalSplit, "windvane:split:ratio"},
}

// counter has the samples that tell how often the proxies are scraped.
const counter = `istio_requests_total{reporter="source"}`

// leastSamples is how many scrapes the range of rate() should hold.
const leastSamples = 4

// signals are what the mesh's signals are made of.
type signals struct {
	o        Options
	recorded bool              // by the rules that windvane ships
	exprs    map[string]string // by signal
	latency  rules.Query
	rules    probe.Recorded
	interval time.Duration
	lookBack time.Duration // of the expressions, without recording rules
	scrape   time.Duration // how often the signals have samples; 0: unknown
	offered  map[string]bool
	bounds   map[string]proposal
	notes    []string
}

// newSignals asks Prometheus. What it does not answer is noted, and left to the reader.
func newSignals(ctx context.Context, o Options) *signals {
	s := &signals{o: o, interval: rules.DefaultInterval, exprs: map[string]string{}, offered: map[string]bool{}, bounds: map[string]proposal{}}
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		s.rules, err = probe.Rules(ctx, o.Prometheus)
		return err
	})
	s.recorded = true
	for _, is := range shipped {
		s.recorded = s.recorded && len(s.rules[is.rule]) > 0
	}
	if err != nil {
		s.recorded = true // the better guess
		s.note("which recording rules are loaded is not known (%v); those of deploy/prometheus are taken to be", err)
	}
	s.times(ctx)
	s.expressions()
	s.requests(ctx)
	s.propose(ctx)
	return s
}

func (s *signals) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *signals) ask(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return f(ctx)
}

// times chooses an interval that holds enough samples, and in which the signals have new
// ones.
func (s *signals) times(ctx context.Context) {
	selector := counter
	if s.recorded {
		selector = shipped[0].rule
	}
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		s.scrape, err = probe.Sampling(ctx, s.o.Prometheus, selector, s.o.At)
		return err
	})
	if err != nil {
		s.note("how often %s has samples is not known (%v); the interval is the default", selector, err)
	}
	s.scrape = s.scrape.Round(time.Second)
	if !s.recorded {
		// An interval that holds the settling as well sees nothing of the one before it.
		s.lookBack = max(s.interval, leastSamples*s.scrape)
		s.interval = s.lookBack + rules.DefaultSettle
		return
	}
	s.interval = max(s.interval, s.scrape)
	for _, is := range shipped {
		for _, r := range s.rules[is.rule] {
			s.interval = max(s.interval, r.Interval)
			if r.Query.Expr != "" {
				s.interval = max(s.interval, r.Query.LookBack())
			}
		}
	}
}

var shippedRange = regexp.MustCompile(`\[5s\]`)

// expressions are the names of the recording rules, or what they are made of, with a range
// that holds enough samples.
func (s *signals) expressions() {
	if s.recorded {
		for _, is := range shipped {
			s.exprs[is.signal] = is.rule
		}
	} else {
		for signal, expr := range direct() {
			s.exprs[signal] = ranged(expr, s.lookBack)
		}
	}
	// They have been parsed before: by Prometheus, or in a test.
	s.latency, _ = rules.ParseQuery("latency", s.exprs["latency"])
}

func ranged(expr string, d time.Duration) string {
	return shippedRange.ReplaceAllString(expr, "["+model.Duration(d).String()+"]")
}

// direct returns the expressions of the shipped rules by signal, without reading any rule.
func direct() map[string]string {
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Expr string }
		}
	}
	_ = yaml.Unmarshal(prometheus.IstioRules, &file) // a file of this program's own, which a test reads
	by := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			by[r.Record] = strings.TrimSpace(r.Expr)
		}
	}
	out := map[string]string{}
	for _, is := range shipped {
		out[is.signal] = strings.ReplaceAll(by[is.rule], shipped[0].rule, "("+by[shipped[0].rule]+")")
	}
	return out
}

// requests finds the services that Prometheus has seen.
func (s *signals) requests(ctx context.Context) {
	var vector model.Vector
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		vector, err = s.vector(ctx, s.exprs["offered"])
		return err
	})
	switch {
	case err != nil:
		s.note("which services have requests is not known: %v", err)
	case len(vector) == 0:
		s.note("Prometheus has no requests of any service: does it scrape the proxies, and are the recording rules evaluated?")
	}
	for _, sample := range vector {
		s.offered[string(sample.Metric[rules.DefaultBy])] = true
	}
}

// vector evaluates an expression.
func (s *signals) vector(ctx context.Context, expr string) (model.Vector, error) {
	value, warnings, _, err := s.o.Prometheus.Query(ctx, expr, s.o.At)
	vector, ok := value.(model.Vector)
	switch {
	case err != nil:
		return nil, err
	case len(warnings) > 0:
		return nil, fmt.Errorf("prometheus warned: %s", strings.Join(warnings, "; "))
	case !ok:
		return nil, fmt.Errorf("the answer is no instant vector: %T", value)
	}
	return vector, nil
}
