package simserver_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/plugins/simclient"
	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/plugins/simserver/simtest"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// goal is linear in everything, so that no mistake cancels.
type goal struct{}

func (goal) Reward(latency, offered, admitted []float64, _ float64) float64 {
	return offered[0]*admitted[0] + 2*offered[1] - 10*latency[0] - 20*latency[1]
}

// scenario has the services a and b, an axis of 3 categories and one of 4.
func scenario() *simserver.Scenario {
	knobs := []policy.Knob{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: 1, Levels: 3},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "d/v/b", Part: "v1"}, Service: "b", Max: 1, Levels: 4},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "d/v/b", Part: "v2"}, Service: "b", Max: 1, Levels: 4},
	}
	policy.SortKnobs(knobs)
	t := &model.Table{Knobs: knobs, Services: []string{"a", "b"}, Signals: []string{"latency", "latency"}, Loads: [][]float64{{2, 6, 10}, {1, 5}}}
	grid := must(policy.Grid(knobs))
	model.EachLoad(t.Loads, func(offered []float64) {
		for _, a := range grid {
			t.Values = append(t.Values, float32(.01+.002*offered[0]*(1-a[0].Value)), float32(.02+.003*offered[1]*a[1].Value))
		}
	})
	return &simserver.Scenario{
		Mesh: "m", Reward: "something", Services: t.Services, Backend: must(env.NewGrid(t, goal{})), Points: env.Cross(t.Loads),
	}
}

// serve serves a scenario on a unix socket, and ends with the test.
func serve(t *testing.T, s *simserver.Scenario) *grpc.ClientConn {
	t.Helper()
	conn, err := simclient.Dial("unix:" + simtest.Serve(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func open(conn *grpc.ClientConn, r *policyv1.OpenRequest) (*simclient.Env, error) {
	return simclient.Open(context.Background(), conn, r)
}
