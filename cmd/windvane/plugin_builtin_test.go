package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
)

// Each built-in policy answers as a plugin what it answers in-process, and passes every
// check of plugins. PLUGIN_TEST_ALL=1 trains those that need it, and checks all of them;
// otherwise the checks are those of the scripts, and the policies those without artefact.
func TestBuiltinPoliciesAsPlugins(t *testing.T) {
	thorough := os.Getenv("PLUGIN_TEST_ALL") != ""
	for name, create := range daemon.Builtins() {
		is, err := create().Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if is.Artefact && !thorough {
			continue
		}
		t.Run(name, func(t *testing.T) {
			o := conformance.Options{
				Command: []string{filepath.Join(built, "windvane"), "plugin", "serve", name}, Seed: 1000, Deadline: 5 * time.Second,
			}
			artefact := ""
			if is.Artefact {
				artefact = trainedOnSample(t, name)
			}
			if err := aboutMesh(&o, artefact, ""); err != nil {
				t.Fatal(err)
			}
			sameAnswers(t, create(), o)
			if !thorough {
				return
			}
			_, err := conformance.Check(t.Context(), o, func(r conformance.Result) {
				if len(r.Findings) > 0 {
					t.Errorf("%s: %q", r.Check, r.Findings)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// sameAnswers asks the policy, and the plugin, about an observation and many around it.
func sameAnswers(t *testing.T, in policy.Policy, o conformance.Options) {
	t.Helper()
	if err := in.Configure(t.Context(), o.Config); err != nil {
		t.Fatal(err)
	}
	out := host.New(host.Options{Name: o.Command[3], Path: o.Command[0], Args: o.Command[1:], Config: o.Config})
	defer out.Stop(context.Background())
	if err := out.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	rng, answered := rand.New(rand.NewPCG(o.Seed, 2)), 0
	for i := range 200 {
		about := plugintest.Scatter(rng, o.Observation)
		about.At = time.UnixMilli(int64(1000 * i)).UTC()
		want, wantErr := in.Decide(t.Context(), about)
		got, gotErr := out.Decide(t.Context(), about)
		if (wantErr == nil) != (gotErr == nil) || wantErr == nil && !reflect.DeepEqual(want, got) {
			t.Fatalf("observation %d: in-process %+v, %v; as a plugin %+v, %v", i, want, wantErr, got, gotErr)
		}
		if wantErr == nil {
			answered++
		}
	}
	if answered < 100 {
		t.Errorf("only %d of 200 observations got an answer", answered)
	}
}

// trainedOnSample trains a policy on the shipped sample, and returns its artefact.
func trainedOnSample(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	data, rules := filepath.Join(dir, "mo1.dataset"), "../../examples/mo1/rules.toml"
	for _, args := range [][]string{
		{"import", "trace", "../../examples/mo1/trace-sample.csv", "--mapping", "../../examples/mo1/mapping.toml", "-o", data},
		{"train", "--rules", rules, "--dataset", data, "--policy", name, "--steps", "4096", "-o", dir},
	} {
		if out, err := exec.Command(filepath.Join(built, "windvane"), args...).CombinedOutput(); err != nil {
			t.Fatalf("windvane %v: %v\n%s", args, err, out)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, name+"-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("artefacts %q, %v", found, err)
	}
	return found[0]
}
