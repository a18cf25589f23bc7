package python_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/plugins/simserver/simtest"
	"github.com/windvane/windvane/sim/env"
)

// carried is the load that is carried within 60 ms.
type carried struct{}

func (carried) Reward(latency, offered, admitted []float64, _ float64) float64 {
	sum := 0.0
	for s, v := range latency {
		if v <= .06 {
			sum += offered[s] * admitted[s]
		}
	}
	return sum
}

// The PPO of integration/peers is trained by its host in the simulator, and then served.
// PEERS_PYTHON names an interpreter that has Stable-Baselines3, as `make peers` makes one.
func TestPPOIsTrainedAndServed(t *testing.T) {
	python := os.Getenv("PEERS_PYTHON")
	if python == "" {
		t.Skip("PEERS_PYTHON names no interpreter; `make peers` runs this test")
	}
	plugin := []string{filepath.Join("..", "..", "integration", "peers", "plugin", "ppo.py")}
	options := host.Options{Name: "ppo", Path: python, Args: plugin, StartTimeout: time.Minute}
	training := policy.Training{
		Simulator: "unix:" + simulate(t), Seed: 1000, Settings: []byte(`{"steps": 4096}`), Progress: func(uint64, uint64, string) {},
	}
	trained, err := host.Train(t.Context(), options, training)
	if err != nil {
		t.Fatal(err)
	}
	again, err := host.Train(t.Context(), options, training)
	if err != nil || string(again.Artefact) != string(trained.Artefact) {
		t.Errorf("the same seed gives another artefact; %v", err)
	}
	if !strings.Contains(trained.Summary, "4096 steps") {
		t.Errorf("it says %q", trained.Summary)
	}
	o := conformance.Options{
		Command: append([]string{python}, plugin...), Config: policy.Config{Settings: training.Settings, Artefact: trained.Artefact},
		Observation: observed(.06), Calls: 1000, Seed: 1000, Deadline: 5 * time.Second,
	}
	_, err = conformance.Check(t.Context(), o, func(r conformance.Result) {
		if len(r.Findings) > 0 {
			t.Errorf("%s: %q", r.Check, r.Findings)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// simulate serves the mesh that observed is of, until the test ends.
func simulate(t *testing.T) (socket string) {
	t.Helper()
	table := plugintest.Table(t, [][]float64{{5, 20, 40}, {5, 20, 40}}, plugintest.Shared)
	grid, err := env.NewGrid(table, carried{})
	if err != nil {
		t.Fatal(err)
	}
	return simtest.Serve(t, &simserver.Scenario{
		Mesh: "m", Reward: "what is carried within 60 ms", Services: table.Services, Backend: grid, Points: env.Cross(table.Loads),
	})
}
