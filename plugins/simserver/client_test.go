package simserver_test

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/plugins/simserver"
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
func serve(t *testing.T, s *simserver.Scenario) policyv1.SimulatorClient {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- simserver.Serve(ctx, l, s) }()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	return policyv1.NewSimulatorClient(conn)
}

// remote is an environment on the other side of the wire; it is an envtest.Env.
type remote struct {
	stream policyv1.Simulator_RunClient
	opened *policyv1.OpenResponse
	lanes  int
	final  map[int][]float32
}

func open(client policyv1.SimulatorClient, r *policyv1.OpenRequest) (*remote, error) {
	stream, err := client.Run(context.Background())
	if err != nil {
		return nil, err
	}
	e := &remote{stream: stream, lanes: int(r.GetLanes())}
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Open{Open: r}})
	e.opened = answer.GetOpen()
	return e, err
}

func (e *remote) ask(r *policyv1.RunRequest) (*policyv1.RunResponse, error) {
	if err := e.stream.Send(r); err != nil {
		return e.stream.Recv() // has the reason
	}
	return e.stream.Recv()
}

func (e *remote) NumLanes() int        { return e.lanes }
func (e *remote) ObservationSize() int { return len(e.opened.GetFeatures()) }

func (e *remote) Axes() (out []int) {
	for _, a := range e.opened.GetAxes() {
		out = append(out, len(a.GetValues())/len(a.GetKnobs()))
	}
	return out
}

func (e *remote) Reset(seed uint64, obs []float32) error {
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Reset_{Reset_: &policyv1.ResetRequest{Seed: seed}}})
	copy(obs, floats(answer.GetReset_().GetObservations()))
	return err
}

// steps asks for several at once.
func (e *remote) steps(actions []int32) (*policyv1.StepResponse, error) {
	raw := make([]byte, 0, 4*len(actions))
	for _, a := range actions {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(a))
	}
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Step{Step: &policyv1.StepRequest{Actions: raw}}})
	return answer.GetStep(), err
}

func (e *remote) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	answer, err := e.steps(actions)
	if err != nil {
		return err
	}
	copy(obs, floats(answer.GetObservations()))
	copy(rewards, floats(answer.GetRewards()))
	final, n := floats(answer.GetFinalObservations()), e.ObservationSize()
	for lane := range e.lanes {
		terminated[lane], truncated[lane] = answer.GetTerminated()[lane] == 1, answer.GetTruncated()[lane] == 1
		if truncated[lane] {
			if e.final == nil {
				e.final = map[int][]float32{}
			}
			e.final[lane], final = final[:n], final[n:]
		}
	}
	return nil
}

func (e *remote) Final(lane int, obs []float32) {
	clear(obs)
	copy(obs, e.final[lane])
}

func floats(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}
