package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/windvane/windvane/sim/emulator"
)

// Namespace is the Kubernetes namespace of all objects.
const Namespace = "default"

// The defaults of Options.
const (
	DefaultScrapeInterval     = time.Second
	DefaultEvaluationInterval = 5 * time.Second
	DefaultRetention          = 10 * time.Minute
)

// Options describe a testbed. Mesh, Graph and Start are required.
type Options struct {
	// Mesh is the name of the VirtualService, in Namespace. It has one route per
	// service, of the service's name; each node is a Deployment of the node's name.
	Mesh string

	Graph         emulator.Graph
	Seed          uint64
	Initial       emulator.Settings // as emulator.Options; weights are rounded to whole percents
	SettleSeconds float64           // as emulator.Options

	Rules              []byte // a Prometheus rule file with recording rules; none: no rules
	Start              time.Time
	ScrapeInterval     time.Duration
	EvaluationInterval time.Duration // of groups that do not set their own
	Retention          time.Duration // of samples; a query that reaches further back finds fewer than there were, or none

	PrometheusListener net.Listener // nil: a free port of 127.0.0.1; closed by Close
	KubernetesListener net.Listener
}

// Faults are what can be made to fail.
type Faults struct {
	Prometheus bool // its API answers 503
	Kubernetes bool // its API answers 503
	Scrapes    bool // no samples come in, and as in Prometheus the series are marked stale
	Proxies    bool // requests go on as they did, whatever the objects become
}

// Testbed is an emulated mesh with the interfaces of a real one. Its methods may
// be called at the same time as its servers are used.
type Testbed struct {
	graph      emulator.Graph
	start      time.Time
	scrape     time.Duration
	engine     *promql.Engine
	prometheus *server
	kubernetes *server

	mu       sync.Mutex // guards all below
	emulator *emulator.Emulator
	store    *store
	scraped  []*series // by number of the emulator's series; nil until it exists
	groups   []*ruleGroup
	objects  *objects
	elapsed  time.Duration // since start
	faults   Faults
	behind   bool           // the emulator has older settings than the objects
	requests map[string]int // see Requests
}

// New builds a testbed at its start time and opens its servers. The caller must Close it.
func New(o Options) (*Testbed, error) {
	t, err := build(&o)
	if err != nil {
		closeListeners(o.PrometheusListener, o.KubernetesListener)
		return nil, fmt.Errorf("testbed: %w", err)
	}
	if t.prometheus, err = serve(o.PrometheusListener, t.prometheusHandler()); err != nil {
		closeListeners(o.KubernetesListener)
		return nil, fmt.Errorf("testbed: prometheus: %w", err)
	}
	if t.kubernetes, err = serve(o.KubernetesListener, t.kubernetesHandler()); err != nil {
		return nil, errors.Join(fmt.Errorf("testbed: kubernetes: %w", err), t.prometheus.close())
	}
	return t, nil
}

func build(o *Options) (*Testbed, error) {
	if o.Start.IsZero() {
		return nil, errors.New("start is not set; the testbed reads no clock")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"ScrapeInterval", &o.ScrapeInterval, DefaultScrapeInterval},
		{"EvaluationInterval", &o.EvaluationInterval, DefaultEvaluationInterval},
		{"Retention", &o.Retention, DefaultRetention},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
		if *d.value < time.Millisecond {
			return nil, fmt.Errorf("%s is %s; want at least 1ms", d.name, *d.value)
		}
	}
	t := &Testbed{
		graph: o.Graph, start: o.Start, scrape: o.ScrapeInterval,
		engine: newEngine(o.EvaluationInterval),
		store:  newStore(o.Retention.Milliseconds()),
	}
	var err error
	if t.groups, err = loadRules(o.Rules, o.EvaluationInterval); err != nil {
		return nil, err
	}
	first, err := emulator.New(emulator.Options{Graph: o.Graph, Initial: o.Initial})
	if err != nil {
		return nil, err
	}
	if t.objects, err = newObjects(o.Mesh, o.Graph, first.Settings(), o.Start); err != nil {
		return nil, err
	}
	initial, err := t.objects.settings(o.Graph)
	if err != nil {
		return nil, err
	}
	t.emulator, err = emulator.New(emulator.Options{Graph: o.Graph, Seed: o.Seed, SettleSeconds: o.SettleSeconds, Initial: initial})
	if err != nil {
		return nil, err
	}
	t.scraped = make([]*series, len(t.emulator.Series()))
	return t, nil
}

// newEngine builds an engine with the settings of a Prometheus server's.
func newEngine(evaluation time.Duration) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: 2 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return evaluation.Milliseconds() },
		Parser:                   parser.NewParser(parser.Options{}),
	})
}

// Now returns the virtual time.
func (t *Testbed) Now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start.Add(t.elapsed)
}

// PrometheusURL returns the base of the query API.
func (t *Testbed) PrometheusURL() string { return t.prometheus.url }

// KubernetesURL returns the base of the Kubernetes API.
func (t *Testbed) KubernetesURL() string { return t.kubernetes.url }

// Take returns the emulator's totals since the last call, per service in the order of the graph.
func (t *Testbed) Take() []emulator.Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emulator.Take()
}

// Settings returns what is in force in the emulator, which follows the objects after the settle time.
func (t *Testbed) Settings() emulator.Settings {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emulator.Settings()
}

// Fail makes things fail from now on; the zero Faults heal all.
func (t *Testbed) Fail(f Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = f
}

// Advance lets d pass. At each scrape interval the emulator is scraped, and then
// the groups of rules that are due are evaluated, at the same instant. An error
// names the rule that failed; the time it happened at has been reached.
func (t *Testbed) Advance(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("testbed: advance by %s; time does not run backwards", d)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.catchUp(); err != nil {
		return err
	}
	for end := t.elapsed + d; t.elapsed < end; {
		t.elapsed = min(end, t.next())
		t.emulator.Advance(t.elapsed.Seconds())
		at := t.start.Add(t.elapsed)
		if t.elapsed%t.scrape == 0 {
			t.scrapeAll(at.UnixMilli())
		}
		for _, g := range t.groups {
			if t.elapsed%g.every != 0 {
				continue
			}
			//nolint:forbidigo // a virtual instant has no deadline
			if err := g.evaluate(context.Background(), t.engine, t.store, at); err != nil {
				return fmt.Errorf("testbed: at %s: %w", at.Format(time.RFC3339), err)
			}
		}
	}
	return nil
}

// catchUp gives proxies that follow again what they have missed.
func (t *Testbed) catchUp() error {
	if !t.behind || t.faults.Proxies {
		return nil
	}
	settings, err := t.objects.settings(t.graph)
	if err == nil {
		err = t.emulator.Apply(t.elapsed.Seconds(), settings)
	}
	if err != nil {
		return fmt.Errorf("testbed: %w", err)
	}
	t.behind = false
	return nil
}

// next returns the time of the next scrape or evaluation.
func (t *Testbed) next() time.Duration {
	after := func(every time.Duration) time.Duration { return t.elapsed - t.elapsed%every + every }
	next := after(t.scrape)
	for _, g := range t.groups {
		next = min(next, after(g.every))
	}
	return next
}

func (t *Testbed) scrapeAll(at int64) {
	if t.faults.Scrapes {
		for _, s := range t.scraped {
			if s != nil {
				t.store.end(s, at)
			}
		}
		return
	}
	t.emulator.Collect(func(i int, v float64) {
		if t.scraped[i] == nil {
			t.scraped[i] = t.store.series(seriesLabels(t.emulator.Series()[i]))
		}
		t.store.append(t.scraped[i], at, v)
	})
}

// seriesLabels are the labels that Prometheus stores. Since its version 3 the bound of
// a bucket reads there as in OpenMetrics, whatever the proxy wrote: le="35" as "35.0".
func seriesLabels(s emulator.Series) labels.Labels {
	b := labels.NewScratchBuilder(len(s.Labels) + 1)
	b.Add(model.MetricNameLabel, s.Name)
	for _, l := range s.Labels {
		v := l.Value
		if l.Name == labels.BucketLabel {
			if bound, err := strconv.ParseFloat(v, 64); err == nil {
				v = labels.FormatOpenMetricsFloat(bound)
			}
		}
		b.Add(l.Name, v)
	}
	b.Sort()
	return b.Labels()
}

// Close stops the servers and waits for their goroutines.
func (t *Testbed) Close() error {
	return errors.Join(t.prometheus.close(), t.kubernetes.close(), t.engine.Close())
}
