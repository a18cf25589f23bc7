package eval

import (
	"os"
	"strings"
	"testing"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
)

const graphText = `
settle = "250ms"
scrape = "2s"
fault = { node = "a", servers = 0.5 }
[[node]]
name = "a"
servers = 3
replicas = 2
work = "40ms"
shape = "lognormal"
variation = 0.5
pauses = { every = "5m", mean = "200ms" }
bursts = { every = "4m", mean = "15s", servers = 0.75 }
[[node]]
name = "b"
servers = 1
work = "10ms"
[[service]]
name = "s"
load = { minimum = 2, maximum = 6 }
timeout = "1s"
retries = { attempts = 2, backoff = "100ms", after = ["429", "504"] }
[[service.destination]]
name = "v1"
path = [{ node = "a" }, { fork = [{ node = "a", work = 2 }, { node = "b", work = 0.5 }] }]
`

func TestGraphSaysWhatTheFileSays(t *testing.T) {
	g, err := ParseGraph("graph.toml", []byte(graphText))
	if err != nil {
		t.Fatal(err)
	}
	a := emulator.Node{
		Name: "a", Concurrency: 3, Replicas: 2, Work: emulator.Dist{Shape: emulator.Lognormal, MeanSeconds: .04, CV: .5},
		Pauses: emulator.Pauses{EverySeconds: 300, MeanSeconds: .2}, Bursts: emulator.Bursts{EverySeconds: 240, MeanSeconds: 15, Factor: .75},
	}
	s := g.Mesh.Services[0]
	switch {
	case g.SettleSeconds != .25 || g.Scrape.Seconds() != 2 || g.Fault.Node != "a" || g.Fault.Factor != .5:
		t.Errorf("settle %v, scrape %v, fault %+v", g.SettleSeconds, g.Scrape, g.Fault)
	case g.Mesh.Nodes[0] != a || g.Mesh.Nodes[1].Work.Shape != emulator.Exponential || g.Mesh.Nodes[1].Replicas != 1:
		t.Errorf("nodes %+v", g.Mesh.Nodes)
	case g.Loads[0] != LoadRange{2, 6} || s.Load.Max() != 4 || s.TimeoutSeconds != 1:
		t.Errorf("service %+v", s)
	case s.Retries != emulator.Retries{Attempts: 2, BackoffSeconds: .1, Refused: true, TimedOut: true} || !g.Retried():
		t.Errorf("retries %+v", s.Retries)
	}
	path := s.Destinations[0].Path
	if len(path) != 2 || path[0].Work != 1 || len(path[1].Fork) != 2 || path[1].Fork[1].Node != "b" || path[1].Fork[1].Work != .5 {
		t.Errorf("path %+v", path)
	}
}

func TestGraphRefusals(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown key":     {`servers = 1`, "servers = 1\nserver = 2", `graph.toml:17: node[1].server: unknown key (did you mean "servers"?)`},
		"missing":         {`timeout = "1s"`, ``, `service[0].timeout: is missing`},
		"no duration":     {`"10ms"`, `"10"`, `"10" is not a duration`},
		"shape":           {`"lognormal"`, `"log"`, `"log" is not allowed`},
		"range":           {`maximum = 6`, `maximum = 2`, `2 is not above the minimum of 2`},
		"NaN":             {`variation = 0.5`, `variation = nan`, `want a finite number`},
		"code":            {`["429"`, `["503"`, `"503" is not answered to anybody`},
		"node":            {`node = "b", work`, `node = "c", work`, `graph.toml: service s: destination v1 visits node "c", which does not exist`},
		"fault":           {`fault = { node = "a"`, `fault = { node = "z"`, `there is no node "z"`},
		"fork of a fork":  {`{ node = "b", work = 0.5 }`, `{ fork = [{ node = "b" }] }`, `forks within a fork`},
		"fork and a node": {`fork = [`, `node = "a", fork = [`, `unknown key`},
		"no fault":        {`fault = { node = "a", servers = 0.5 }`, ``, `fault: is missing`},
		"no TOML":         {`[[node]]`, `[[node`, `graph.toml`},
	} {
		text := strings.Replace(graphText, c.from, c.to, 1)
		if text == graphText {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := ParseGraph("graph.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

func TestShippedGraphsFitTheirRules(t *testing.T) {
	small, m, err := SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	six, err := LoadGraph("../../examples/six/graph.toml")
	if err != nil {
		t.Fatal(err)
	}
	promised, err := rules.Load("../../examples/six/rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(six.Mesh.Services) != 6 || len(six.Mesh.Nodes) != 10 {
		t.Errorf("%d services over %d nodes", len(six.Mesh.Services), len(six.Mesh.Nodes))
	}
	for _, c := range []struct {
		graph  Graph
		rules  *rules.Mesh
		policy string
	}{{small, m, "tabular"}, {six, promised, "search"}} {
		e, err := newEmulation(EmulatorOptions{Graph: c.graph, Rules: c.rules, Budgets: []float64{.05}, Delays: []Delay{DelayDaemon}, Runs: 1})
		if err != nil {
			t.Fatal(err)
		}
		if e.policy != c.policy {
			t.Errorf("%s: policy %s, want %s", c.rules.Name, e.policy, c.policy)
		}
	}
}

func FuzzGraph(f *testing.F) {
	f.Add([]byte(graphText))
	for _, path := range []string{"emulated/graph.toml", "../../examples/six/graph.toml"} {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		g, err := ParseGraph("graph.toml", src)
		if err != nil {
			return
		}
		mesh := g.Mesh
		mesh.Faults = []emulator.Fault{g.Fault}
		if err := mesh.Validate(); err != nil {
			t.Errorf("a graph that was read is not valid: %v", err)
		}
	})
}
