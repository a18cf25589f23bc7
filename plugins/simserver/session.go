package simserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/sim/env"
)

// Run implements policyv1.SimulatorServer: one environment, for as long as the stream.
func (s *Server) Run(stream policyv1.Simulator_RunServer) error {
	var e *session
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer *policyv1.RunResponse
		if e == nil {
			e, answer, err = open(s.scenario, request)
		} else {
			answer, err = e.answer(request)
		}
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// session is an environment with the buffers of its answers, which are used again with
// each: a message that was sent has been written in full.
type session struct {
	env   *env.Env
	lanes int
	axes  int
	size  int // of an observation
	most  int // steps of one request
	reset bool

	actions               []int32 // of one step
	obs, rewards, final   []float32
	terminated, truncated []bool

	answered policyv1.RunResponse
	start    policyv1.RunResponse_Reset_
	step     policyv1.RunResponse_Step
}

func open(scenario *Scenario, r *policyv1.RunRequest) (*session, *policyv1.RunResponse, error) {
	if r.GetOpen() == nil {
		return nil, nil, status.Error(codes.FailedPrecondition, "the first request has to open the environment")
	}
	config, err := scenario.config(r.GetOpen())
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	e, err := env.New(config)
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	n := e.NumLanes()
	if len(e.Axes()) == 0 {
		return nil, nil, status.Error(codes.FailedPrecondition, "the mesh has no knobs, and so nothing to learn; see the rules file")
	}
	s := &session{
		env: e, lanes: n, axes: len(e.Axes()), size: e.ObservationSize(),
		rewards: make([]float32, n), terminated: make([]bool, n), truncated: make([]bool, n),
	}
	s.actions, s.obs, s.final = make([]int32, n*s.axes), make([]float32, n*s.size), make([]float32, s.size)
	s.start.Reset_, s.step.Step = &policyv1.ResetResponse{}, &policyv1.StepResponse{}
	step := n * (8*s.size + 4 + 2) // bytes of the answer, if all are truncated
	if s.most = maxAnswer / max(step, 4*n*s.axes); s.most < 1 {
		return nil, nil, status.Errorf(codes.InvalidArgument, "one step of %d lanes is more than a message of %d MiB takes; use several environments, with first_lane",
			n, MaxMessage>>20)
	}
	described, err := scenario.describe(e, s.most)
	if err != nil {
		return nil, nil, status.Error(codes.Internal, err.Error())
	}
	return s, &policyv1.RunResponse{Response: &policyv1.RunResponse_Open{Open: described}}, nil
}

// answer serves what follows the opening. What it returns is valid until the next call.
func (s *session) answer(r *policyv1.RunRequest) (*policyv1.RunResponse, error) {
	switch r := r.GetRequest().(type) {
	case *policyv1.RunRequest_Reset_:
		if err := s.env.Reset(r.Reset_.GetSeed(), s.obs); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		s.reset = true
		s.start.Reset_.Observations = appendFloats(s.start.Reset_.Observations[:0], s.obs)
		s.answered.Response = &s.start
	case *policyv1.RunRequest_Step:
		if !s.reset {
			return nil, status.Error(codes.FailedPrecondition, "step before reset")
		}
		if err := s.steps(r.Step.GetActions()); err != nil {
			return nil, err
		}
		s.answered.Response = &s.step
	case *policyv1.RunRequest_Open:
		return nil, status.Error(codes.FailedPrecondition, "the environment is open already; another one needs a stream of its own")
	default:
		return nil, status.Error(codes.InvalidArgument, "the request is empty")
	}
	return &s.answered, nil
}

func (s *session) steps(actions []byte) error {
	one := 4 * len(s.actions)
	n := len(actions) / one
	if n*one != len(actions) || n < 1 || n > s.most {
		return status.Errorf(codes.InvalidArgument, "%d bytes of actions; want 4 for each of %d lanes x %d axes, of 1 to %d steps",
			len(actions), s.lanes, s.axes, s.most)
	}
	out := s.step.Step
	out.Observations, out.Rewards = out.Observations[:0], out.Rewards[:0]
	out.Terminated, out.Truncated, out.FinalObservations = out.Terminated[:0], out.Truncated[:0], out.FinalObservations[:0]
	for step := range n {
		for i := range s.actions {
			s.actions[i] = int32(binary.LittleEndian.Uint32(actions[step*one+4*i:]))
		}
		if err := s.env.Step(s.actions, s.obs, s.rewards, s.terminated, s.truncated); err != nil {
			return status.Error(codes.InvalidArgument, fmt.Sprintf("step %d of %d: %v", step+1, n, err))
		}
		out.Observations = appendFloats(out.Observations, s.obs)
		out.Rewards = appendFloats(out.Rewards, s.rewards)
		out.Terminated = appendBools(out.Terminated, s.terminated)
		out.Truncated = appendBools(out.Truncated, s.truncated)
		for lane, ended := range s.truncated {
			if ended {
				s.env.Final(lane, s.final)
				out.FinalObservations = appendFloats(out.FinalObservations, s.final)
			}
		}
	}
	return nil
}

func appendFloats(to []byte, v []float32) []byte {
	for _, x := range v {
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(x))
	}
	return to
}

func appendBools(to []byte, v []bool) []byte {
	for _, x := range v {
		b := byte(0)
		if x {
			b = 1
		}
		to = append(to, b)
	}
	return to
}
