package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/version"

	"github.com/windvane/windvane/internal/console"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
	"github.com/windvane/windvane/station"
)

// Each command that the page has for the emulated mesh does what it says, and prints what is
// shown; times apart, to the last digit.
func TestOperate(t *testing.T) {
	_, blocks := operateBlocks(t)
	o := newOperated(t)
	o.play(blocks, o.states(), sameTime)
}

// play runs the blocks of the emulated mesh; same is for console's Differ.
func (o *operated) play(blocks []console.Block, states map[string]func(), same func(string) string) {
	o.t.Helper()
	for _, b := range blocks {
		if b.World != worldEmulated {
			continue
		}
		if b.Given != "" {
			bring, ok := states[b.Given]
			if !ok {
				o.t.Fatalf("line %d: nobody knows how to bring about that %s", b.Line, b.Given)
			}
			bring()
		}
		for _, step := range b.Steps {
			if unit, ok := strings.CutPrefix(step.Command, "sudo systemctl reload "); ok {
				o.reload(unit)
				continue
			}
			if wrong := o.shell.Step(o.t.Context(), step, same); wrong != "" {
				o.t.Error(wrong)
			}
		}
	}
}

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// sameTime takes one time for another.
func sameTime(line string) string { return instant.ReplaceAllString(line, "2026-01-02T03:04:05Z") }

// operated is a mesh in lock-step with a daemon in the places of a package.
type operated struct {
	*station.Station

	t     *testing.T
	shell console.Shell
	rules string // file
}

// states are what the page is given, by its words.
func (o *operated) states() map[string]func() {
	return map[string]func(){
		"a quiet hour":           func() { o.cycles(60) },
		"the evening's load":     func() { o.cycles(12) },
		"a plan":                 o.plan,
		"the next cycle":         func() { o.cycles(1) },
		"a minute":               func() { o.cycles(12) },
		"Prometheus is down":     func() { o.Fail(testbed.Faults{Prometheus: true}); o.cycles(1) },
		"the API server is down": func() { o.Fail(testbed.Faults{Kubernetes: true}); o.cycles(1) },
		"all is well again":      func() { o.Fail(testbed.Faults{}); o.cycles(6) },
	}
}

// plan lets cycles pass until a plan waits for a person.
func (o *operated) plan() {
	o.t.Helper()
	for range 50 {
		o.cycles(1)
		if o.Status().Meshes[0].Pending != nil {
			return
		}
	}
	o.t.Fatal("no plan after 50 cycles")
}

func (o *operated) cycles(n int) {
	o.t.Helper()
	if err := o.Run(o.t.Context(), n); err != nil {
		o.t.Fatal(err)
	}
}

// reload does what systemd does with the unit: all that ExecReload says, and for kill -HUP
// the reload itself. A check that fails keeps it from that.
func (o *operated) reload(unit string) {
	o.t.Helper()
	text, err := os.ReadFile("../../systemd/" + unit + ".service")
	if err != nil {
		o.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecReload=")
		switch {
		case !ok:
		case command == "/bin/kill -HUP $MAINPID":
			rules, err := os.ReadFile(o.rules)
			if err != nil {
				o.t.Fatal(err)
			}
			if err := o.Reload(o.t.Context(), rules); err != nil {
				o.t.Fatal(err)
			}
		default:
			out, exit, err := o.shell.Run(o.t.Context(), strings.Replace(command, "/usr/bin/", "", 1))
			if err != nil || exit != 0 {
				o.t.Fatalf("%s: exit code %d, %v\n%s", command, exit, err, out)
			}
		}
	}
}

func newOperated(t *testing.T) *operated {
	was := version.Version
	version.Version = "1.2.0"
	t.Cleanup(func() { version.Version = was })
	s, dir := openFront(t, 1013, func(text string) string { return text }, station.Options{
		Plugins: "\n[plugin.rules]\nbuiltin = \"threshold\"\n", Address: "127.0.0.1:0",
	})
	shims := t.TempDir()
	if err := os.WriteFile(filepath.Join(shims, "sudo"), []byte("#!/bin/sh\nexec env \"$@\"\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	o := &operated{Station: s, t: t, rules: filepath.Join(dir, "front.toml")}
	o.shell = console.Shell{
		Dir: dir, Env: append(os.Environ(), "RUNTIME_DIRECTORY="+dir, "PATH="+strings.Join([]string{shims, built, os.Getenv("PATH")}, ":")),
		Places: []console.Place{
			{Page: "/etc/windvane/rules.d/shop.toml", Here: o.rules},
			{Page: "/etc/windvane/windvane.toml", Here: filepath.Join(dir, "windvane.toml")},
			{Page: "/var/lib/windvane", Here: s.State()},
			{Page: "http://127.0.0.1:9480", Here: s.URL()},
			{Page: "/run/windvane", Here: dir},
		},
	}
	return o
}

// operatedMesh carries its load in time for six minutes, and then has more for a while.
func operatedMesh(t *testing.T) emulator.Graph {
	t.Helper()
	var services []emulator.Service
	for _, s := range []struct {
		name       string
		rate, work float64
	}{{"information", 20, 1}, {"compute", 10, 3}} {
		steps, err := load.NewSteps([]float64{0, 360, 660}, []float64{s.rate, 3.4 * s.rate, s.rate})
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, emulator.Service{
			Name: s.name, Load: steps, TimeoutSeconds: 5,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: s.work}}},
				{Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: s.work}}},
			},
		})
	}
	node := func(name string) emulator.Node {
		return emulator.Node{Name: name, Concurrency: 1, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .0085}}
	}
	return emulator.Graph{
		Nodes: []emulator.Node{node("node-v1"), node("node-v2")}, Services: services,
		BucketBounds: []float64{25, 50, 100, 250, 500, 1000, 2500},
	}
}
