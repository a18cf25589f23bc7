package eval

import (
	"embed"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// Graph is an emulated mesh as a graph file describes it: an emulator's, with the range
// of each service's load and the fault that it is tried with.
type Graph struct {
	Mesh          emulator.Graph // with each load constant, in the middle of its range
	Loads         []LoadRange    // by service of Mesh
	Fault         emulator.Fault // its times are the scenario's
	SettleSeconds float64
	Scrape        time.Duration
}

// LoadRange are the loads of a service that a policy may learn from, in requests/s.
type LoadRange struct{ Least, Most float64 }

// Retried reports whether any caller sends failed requests again.
func (g Graph) Retried() bool {
	return slices.ContainsFunc(g.Mesh.Services, func(s emulator.Service) bool { return s.Retries != emulator.Retries{} })
}

// The smallest mesh on which there is something to decide: two services over two
// versions of a front node, and a back node that everything shares.
//
//go:embed emulated/graph.toml emulated/rules.toml
var small embed.FS

// SmallGraph returns the built-in mesh and its rules.
func SmallGraph() (Graph, *rules.Mesh, error) {
	graph, err := small.ReadFile("emulated/graph.toml")
	if err != nil {
		return Graph{}, nil, err
	}
	m, err := rules.Parse("emulated/rules.toml", SmallRules())
	if err != nil {
		return Graph{}, nil, err
	}
	g, err := ParseGraph("emulated/graph.toml", graph)
	return g, m, err
}

// SmallRules returns the rules file of the built-in mesh.
func SmallRules() []byte {
	text, err := small.ReadFile("emulated/rules.toml")
	if err != nil {
		panic(err) // it is embedded
	}
	return text
}

// LoadGraph reads a graph file.
func LoadGraph(path string) (Graph, error) {
	src, err := rules.ReadFile(path)
	if err != nil {
		return Graph{}, err
	}
	return ParseGraph(path, src)
}

// ParseGraph reads the content of a graph file, strictly; name is the file's in errors.
// What is wrong with keys and values comes as rules.Problems, all of it.
func ParseGraph(name string, src []byte) (Graph, error) {
	doc, root, err := rules.ParseDocument(name, src)
	if err != nil {
		return Graph{}, err
	}
	var g Graph
	g.SettleSeconds = root.Duration("settle", 500*time.Millisecond, time.Millisecond).Seconds()
	g.Scrape = root.Duration("scrape", time.Second, time.Millisecond)
	root.Require("node", "service", "fault")
	for _, t := range root.Tables("node") {
		g.Mesh.Nodes = append(g.Mesh.Nodes, readNode(t))
	}
	for _, t := range root.Tables("service") {
		g.service(t)
	}
	if t := root.Table("fault"); t != nil {
		t.Require("node", "servers")
		g.Fault = emulator.Fault{Node: t.Text("node", ""), Factor: t.Number("servers", 1, 0, 1), To: math.Inf(1)}
	}
	if err := doc.Problems().Err(); err != nil {
		return Graph{}, err
	}
	whole := g.Mesh
	whole.Faults = []emulator.Fault{g.Fault}
	if err := whole.Validate(); err != nil {
		return Graph{}, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// graphMost bounds numbers of a graph file: beyond it a run would not end.
const graphMost = 1e4

func readNode(t *rules.Table) emulator.Node {
	t.Require("name", "servers", "work")
	n := emulator.Node{
		Name: t.Text("name", ""), Concurrency: t.Whole("servers", 1, 1, graphMost), Replicas: t.Whole("replicas", 1, 1, graphMost),
		Work: emulator.Dist{
			Shape:       emulator.Shape(t.OneOf("shape", string(emulator.Exponential), string(emulator.Exponential), string(emulator.Lognormal), string(emulator.Deterministic))),
			MeanSeconds: t.Duration("work", time.Second, time.Millisecond).Seconds(),
			CV:          t.Number("variation", 0, 0, 100),
		},
	}
	if p := t.Table("pauses"); p != nil {
		n.Pauses.EverySeconds, n.Pauses.MeanSeconds = readSpells(p)
	}
	if b := t.Table("bursts"); b != nil {
		b.Require("servers")
		n.Bursts.EverySeconds, n.Bursts.MeanSeconds = readSpells(b)
		n.Bursts.Factor = b.Number("servers", 1, 0, 1)
	}
	return n
}

func readSpells(t *rules.Table) (every, mean float64) {
	t.Require("every", "mean")
	return t.Duration("every", time.Minute, time.Millisecond).Seconds(), t.Duration("mean", time.Second, time.Millisecond).Seconds()
}

func (g *Graph) service(t *rules.Table) {
	t.Require("name", "load", "timeout", "destination")
	s := emulator.Service{Name: t.Text("name", ""), TimeoutSeconds: t.Duration("timeout", time.Second, time.Millisecond).Seconds()}
	var r LoadRange
	if l := t.Table("load"); l != nil {
		l.Require("minimum", "maximum")
		r = LoadRange{Least: l.Number("minimum", 0, 0, graphMost), Most: l.Number("maximum", 1, 0, graphMost)}
		if !(r.Most > r.Least) {
			l.Invalid("maximum", fmt.Sprintf("%v is not above the minimum of %v", r.Most, r.Least), "")
		}
	}
	s.Load = load.Constant((r.Least + r.Most) / 2)
	if retries := t.Table("retries"); retries != nil {
		s.Retries = readRetries(retries)
	}
	for _, d := range t.Tables("destination") {
		d.Require("name", "path")
		s.Destinations = append(s.Destinations, emulator.Destination{Name: d.Text("name", ""), Path: readPath(d, "path")})
	}
	g.Mesh.Services = append(g.Mesh.Services, s)
	g.Loads = append(g.Loads, r)
}

func readRetries(t *rules.Table) emulator.Retries {
	t.Require("attempts", "backoff", "after")
	out := emulator.Retries{Attempts: t.Whole("attempts", 1, 1, 10), BackoffSeconds: t.Duration("backoff", time.Second, time.Millisecond).Seconds()}
	for _, code := range t.Texts("after") {
		switch code {
		case "429":
			out.Refused = true
		case "504":
			out.TimedOut = true
		default:
			t.Invalid("after", fmt.Sprintf("%q is not answered to anybody", code), `write "429", "504" or both`)
		}
	}
	return out
}

// readPath reads stops: a node with the work that is brought there, or a fork of those.
func readPath(t *rules.Table, key string) []emulator.Visit {
	var out []emulator.Visit
	for _, stop := range t.Tables(key) {
		if stop.Has("fork") {
			out = append(out, emulator.Visit{Fork: readPath(stop, "fork")})
			continue
		}
		stop.Require("node")
		out = append(out, emulator.Visit{Node: stop.Text("node", ""), Work: stop.Number("work", 1, 0, graphMost)})
	}
	return out
}

// measurable returns the mesh of the graph with histogram buckets that are dense about
// the bounds of the objectives: a quantile is only as good as the bucket it falls into.
func (g Graph) measurable(m *rules.Mesh) emulator.Graph {
	out := g.Mesh
	for _, s := range m.PolicyServices() {
		for _, o := range s.Objectives {
			for _, f := range []float64{.4, .5, .6, .7, .8, .9, .95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2} {
				out.BucketBounds = append(out.BucketBounds, math.Round(1e6*f*o.Bound)/1e3)
			}
		}
	}
	return out
}
