package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/console"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/station"
)

// A plugin that windvane.toml declares is trained, becomes a candidate of the running daemon by a
// reload of what train printed, is promoted, and decides.
func TestATrainedPluginDecides(t *testing.T) {
	var declared string
	var last station.Step
	s, dir := openFront(t, 1013, func(text string) string { declared = text; return text }, station.Options{
		Plugins: "\n[plugin.rules]\nbuiltin = \"threshold\"\n\n[plugin.mine]\ncommand = [\"" + filepath.Join(built, "lookup") + "\"]\ndeadline = \"1m\"\nstart_timeout = \"1m\"\n",
		Watch:   func(step station.Step) { last = step }, Address: "127.0.0.1:0",
	})
	shell := console.Shell{Dir: dir, Env: append(os.Environ(), "RUNTIME_DIRECTORY="+dir, "PATH="+built+":"+os.Getenv("PATH"))}
	do := func(command string) string {
		t.Helper()
		out, exit, err := shell.Run(t.Context(), command)
		if err != nil || exit != 0 {
			t.Fatalf("%s: exit code %d, %v\n%s", command, exit, err, out)
		}
		return out
	}

	linear(t, filepath.Join(dir, "front.toml"), filepath.Join(dir, "front.dataset"))
	out := do("windvane train --config.file windvane.toml --rules front.toml --dataset front.dataset --seed 1000 --policy mine")
	_, snippet, ok := strings.Cut(out, "\n[[policy]]\n")
	name := regexp.MustCompile(`lookup-[0-9a-f]{12}`).FindString(snippet)
	if !ok || name == "" {
		t.Fatalf("train does not say what to declare:\n%s", out)
	}
	if err := s.Reload(t.Context(), []byte(declared+"\n[[policy]]\n"+snippet)); err != nil {
		t.Fatal(err)
	}
	list := ""
	want := regexp.MustCompile(`thresholds +active [^\n]*\n(.*\n)*\S+ +` + name + ` +candidate [^\n]* ` + name + ` [^\n]* on 600 rows +up`)
	for range 600 {
		if list = do("windvane policy list"); !strings.Contains(list, " down ") {
			break
		}
		time.Sleep(50 * time.Millisecond) // a candidate starts behind the reload
	}
	if !want.MatchString(list) {
		t.Errorf("the list is not as %v:\n%s", want, list)
	}
	inspected := do("windvane policy inspect " + name)
	for _, want := range []string{"policy lookup 1.0.0: 25 rows, found in 128000 steps", "judged, unseen load: carries "} {
		if !strings.Contains(inspected, want) {
			t.Errorf("inspect does not say %q:\n%s", want, inspected)
		}
	}
	do("windvane policy promote " + name + " --reason 'to see it decide' --force")
	if err := s.Run(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if d := last.Report.Intent.Decision; last.Report.Intent.Policy != name || d == nil || !strings.HasPrefix(d.Reason, "worth most at [") {
		t.Errorf("policy %s decides %+v, want %s", last.Report.Intent.Policy, d, name)
	}
}

// linear writes a dataset of a mesh whose latencies are in proportion to what is admitted.
func linear(t *testing.T, rulesFile, to string) {
	t.Helper()
	m, err := rules.Load(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1000, 1))
	d := dataset.Of(m.Name, m.Interval, m.Knobs(), m.PolicyServices())
	levels := func(most float64) float64 { return most * float64(rng.IntN(5)) / 4 }
	for range 60 {
		blockedA, blockedB, weightA, weightB := levels(.5), levels(.5), levels(1), levels(1)
		for range 10 {
			offered := []float64{5 + levels(30), 10 + levels(60)}
			admitted := []float64{offered[0] * (1 - blockedA), offered[1] * (1 - blockedB)}
			noise := 1 + .05*rng.NormFloat64()
			if err := d.Append(dataset.Row{
				Settings: []float64{blockedA, blockedB, weightA, 1 - weightA, weightB, 1 - weightB}, Offered: offered, Carried: admitted,
				Latency: []float64{(.05 + .003*(1+weightA)*(admitted[0]+admitted[1])) * noise, (.02 + .001*(1+weightB)*(admitted[0]+admitted[1])) * noise},
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
