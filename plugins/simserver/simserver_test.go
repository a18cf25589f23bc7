package simserver_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/plugins/simclient"
	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/env/envtest"
)

// Through the wire an environment keeps the contract of sim/env, except for what a
// process of its own cannot: an error ends its stream, and messages are allocated.
func TestConformance(t *testing.T) {
	client := serve(t, scenario())
	failures := envtest.Failures(envtest.Bounds{MinReward: -3, MaxReward: 20, Horizon: 7}, func() (envtest.Env, error) {
		return open(client, &policyv1.OpenRequest{Lanes: 3, Horizon: 7, Delay: 2, StepLimit: 1, FreeRaise: true, Loads: &policyv1.Loads{Hold: 5}})
	})
	delete(failures, "no allocation in a step")
	delete(failures, "errors change nothing")
	for check, err := range failures {
		t.Errorf("%s: %v", check, err)
	}
}

// A cycle of loads goes round, from wherever it starts.
func TestCycleOfLoads(t *testing.T) {
	e, err := open(serve(t, scenario()), &policyv1.OpenRequest{
		Lanes: 1, Loads: &policyv1.Loads{Points: []float64{2, 1, 6, 3, 10, 5}, Order: policyv1.LoadOrder_LOAD_ORDER_CYCLE},
	})
	if err != nil {
		t.Fatal(err)
	}
	first := make([]float32, 2)
	if err := e.Reset(1, first); err != nil {
		t.Fatal(err)
	}
	answer, err := e.Steps(make([]int32, 5*2))
	if err != nil {
		t.Fatal(err)
	}
	seen := slices.Concat(first, simclient.Floats(answer.GetObservations()))
	for i := range 6 {
		if next := math.Mod(float64(seen[2*i])+.5, 1.5); i < 5 && float64(seen[2*i+2]) != next || seen[2*i] != seen[2*i+1] {
			t.Fatalf("loads %v; want both services at 0, .5, 1, and round again", seen)
		}
	}
}

// run opens an environment and takes the steps of actions ([step][lane][axis] of all
// lanes) that are its lanes', so many in each request; it returns all bytes, by step.
func run(t *testing.T, client *grpc.ClientConn, all, first, lanes int, actions []int32, split ...int) (obs, rewards [][]byte) {
	t.Helper()
	e, err := open(client, &policyv1.OpenRequest{Lanes: int32(lanes), FirstLane: int32(first), Horizon: 4, StepLimit: 1, Loads: &policyv1.Loads{Hold: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Reset(7, make([]float32, e.NumLanes()*e.ObservationSize())); err != nil {
		t.Fatal(err)
	}
	const axes = 2
	for _, n := range split {
		var part []int32
		for range n {
			part = append(part, actions[first*axes:][:lanes*axes]...)
			actions = actions[all*axes:]
		}
		answer, err := e.Steps(part)
		if err != nil {
			t.Fatal(err)
		}
		obs = slices.AppendSeq(obs, slices.Chunk(answer.GetObservations(), 4*lanes*e.ObservationSize()))
		rewards = slices.AppendSeq(rewards, slices.Chunk(answer.GetRewards(), 4*lanes))
	}
	return obs, rewards
}

func TestSameBytesHoweverTheyAreAskedFor(t *testing.T) {
	client := serve(t, scenario())
	const lanes, steps = 6, 12
	rng := rand.New(rand.NewPCG(1, 1))
	var actions []int32
	for range steps * lanes {
		actions = append(actions, int32(rng.IntN(3)), int32(rng.IntN(4)))
	}
	obs, rewards := run(t, client, lanes, 0, lanes, actions, steps)
	for _, split := range [][]int{slices.Repeat([]int{1}, steps), {5, 7}, {1, 11}} {
		o, r := run(t, client, lanes, 0, lanes, actions, split...)
		if !slices.EqualFunc(o, obs, bytes.Equal) || !slices.EqualFunc(r, rewards, bytes.Equal) {
			t.Errorf("requests of %v steps: other bytes than in one", split)
		}
	}
	headObs, headRewards := run(t, client, lanes, 0, 2, actions, 3, 9)
	tailObs, tailRewards := run(t, client, lanes, 2, 4, actions, 8, 4)
	for i := range steps {
		if !bytes.Equal(slices.Concat(headObs[i], tailObs[i]), obs[i]) || !bytes.Equal(slices.Concat(headRewards[i], tailRewards[i]), rewards[i]) {
			t.Fatalf("step %d: lanes 0 and 1, and 2 to 5, are not those of one environment", i)
		}
	}
}

func TestEnvironmentsRunBesideEachOther(t *testing.T) {
	client := serve(t, scenario())
	actions := slices.Repeat([]int32{1, 2}, 3*20)
	want, _ := run(t, client, 3, 0, 3, actions, 20)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, _ := run(t, client, 3, 0, 3, actions, 3, 2, 15); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Error("beside others an environment sees something else")
			}
		})
	}
	all.Wait()
}

func TestSaysWhatItIs(t *testing.T) {
	e, err := open(serve(t, scenario()), &policyv1.OpenRequest{Lanes: 1, Delay: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := e.Opened()
	if o.GetMesh() != "m" || o.GetReward() != "something" || o.GetMostSteps() < 1000 {
		t.Errorf("%v", o)
	}
	if s := o.GetServices(); len(s) != 2 || s[1].GetService() != "b" || s[1].GetMin() != 1 || s[1].GetMax() != 5 {
		t.Errorf("services %v", s)
	}
	var names []string
	for _, f := range o.GetFeatures() {
		names = append(names, f.GetName())
		if f.GetLow() != env.MinObservation || f.GetHigh() != env.MaxObservation {
			t.Errorf("%v", f)
		}
	}
	if want := "offered load of a; offered load of b; blocking of a, commanded in the last interval; weight of d/v/b, v1, commanded in the last interval"; strings.Join(names, "; ") != want {
		t.Errorf("features %q, want %q", names, want)
	}
	axis := o.GetAxes()[1]
	if k := axis.GetKnobs(); len(k) != 2 || k[1].GetKind() != "weight" || k[1].GetTarget() != "d/v/b" || k[1].GetPart() != "v2" || k[1].GetService() != "b" {
		t.Errorf("knobs %v", k)
	}
	if v := axis.GetValues(); len(v) != 8 || v[0]+v[1] != 1 {
		t.Errorf("values %v; want 4 categories of 2 weights that sum to 1", v)
	}
}

func TestRefuses(t *testing.T) {
	client := serve(t, scenario())
	cycle := policyv1.LoadOrder_LOAD_ORDER_CYCLE
	for want, r := range map[string]*policyv1.OpenRequest{
		"0 lanes":               {},
		"-1 lanes":              {Lanes: -1},
		"want at most 1048576":  {Lanes: 1 << 30},
		"first lane -1":         {Lanes: 1, FirstLane: -1},
		"horizon -1":            {Lanes: 1, Horizon: -1},
		"a delay of 100000":     {Lanes: 1, Delay: 100000},
		"use several":           {Lanes: 1 << 20, Delay: 100},
		"no whole points of 2":  {Lanes: 1, Loads: &policyv1.Loads{Points: []float64{2, 1, 2}}},
		"knows 1 to 5/s only":   {Lanes: 1, Loads: &policyv1.Loads{Points: []float64{2, 1, 3, 5.5}}},
		"hold -1":               {Lanes: 1, Loads: &policyv1.Loads{Hold: -1}},
		"repeat points instead": {Lanes: 1, Loads: &policyv1.Loads{Hold: 2, Order: cycle}},
		"unknown order 9":       {Lanes: 1, Loads: &policyv1.Loads{Order: 9}},
	} {
		if _, err := open(client, r); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want InvalidArgument with %q", r, err, want)
		}
	}
}

func TestRefusesWhatIsOutOfOrder(t *testing.T) {
	client := serve(t, scenario())
	opening := &policyv1.RunRequest{Request: &policyv1.RunRequest_Open{Open: &policyv1.OpenRequest{Lanes: 2}}}
	reset := &policyv1.RunRequest{Request: &policyv1.RunRequest_Reset_{Reset_: &policyv1.ResetRequest{}}}
	step := func(actions ...byte) *policyv1.RunRequest {
		return &policyv1.RunRequest{Request: &policyv1.RunRequest_Step{Step: &policyv1.StepRequest{Actions: actions}}}
	}
	for want, requests := range map[string][]*policyv1.RunRequest{
		"FailedPrecondition: the first request has to open":        {reset},
		"FailedPrecondition: step before reset":                    {opening, step(make([]byte, 16)...)},
		"FailedPrecondition: the environment is open already":      {opening, opening},
		"InvalidArgument: the request is empty":                    {opening, {}},
		"InvalidArgument: 15 bytes of actions; want 4 for each of": {opening, reset, step(make([]byte, 15)...)},
		"InvalidArgument: 0 bytes of actions":                      {opening, reset, step()},
		"step 1 of 1: env: step: lane 1: category 4 of axis 1":     {opening, reset, step(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0)},
		"category -1 of axis 0":                                    {opening, reset, step(255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	} {
		stream, err := policyv1.NewSimulatorClient(client).Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			_ = stream.Send(r) // Recv has the reason
			_, err = stream.Recv()
		}
		if got := status.Code(err).String() + ": " + status.Convert(err).Message(); !strings.Contains(got, want) {
			t.Errorf("%s, want %q", got, want)
		}
	}
}

func TestEndsWithItsContext(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- simserver.Serve(ctx, l, scenario()) }()
	conn, err := simclient.Dial("unix:" + socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	e, err := open(conn, &policyv1.OpenRequest{Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := e.Steps(nil); status.Code(err) != codes.Unavailable {
		t.Errorf("a client hears %v, want Unavailable", err)
	}
}
