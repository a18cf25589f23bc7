// Package simclient is the simulator of a host, for learners in Go: an environment of
// sim/env (which states the contract) at the other end of a socket. A plugin's Train is
// given the address; `windvane sim serve` listens at one, too.
//
// Two things are not as in sim/env: messages are allocated, and the first error ends the
// environment.
package simclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// maxMessage is what the simulator may send and take, in bytes.
const maxMessage = 64 << 20

// Dial connects to the simulator at an address as gRPC dials it, such as "unix:/run/x/s".
// The caller closes the connection.
func Dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("simulator %s: %w", address, err)
	}
	return conn, nil
}

// Env is one environment. It is for one goroutine.
type Env struct {
	stream policyv1.Simulator_RunClient
	opened *policyv1.OpenResponse
	lanes  int
	axes   []int
	raw    []byte            // of actions
	final  map[int][]float32 // by lane
}

// Open opens an environment, which ends with the context.
func Open(ctx context.Context, conn grpc.ClientConnInterface, r *policyv1.OpenRequest) (*Env, error) {
	stream, err := policyv1.NewSimulatorClient(conn).Run(ctx)
	if err != nil {
		return nil, err
	}
	e := &Env{stream: stream, lanes: int(r.GetLanes()), final: map[int][]float32{}}
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Open{Open: r}})
	if err != nil {
		return nil, err
	}
	e.opened = answer.GetOpen()
	for _, a := range e.opened.GetAxes() {
		if len(a.GetKnobs()) == 0 {
			return nil, errors.New("simulator: an axis without a knob")
		}
		e.axes = append(e.axes, len(a.GetValues())/len(a.GetKnobs()))
	}
	return e, nil
}

func (e *Env) ask(r *policyv1.RunRequest) (*policyv1.RunResponse, error) {
	if err := e.stream.Send(r); err != nil {
		return e.stream.Recv() // has the reason
	}
	return e.stream.Recv()
}

// Opened says what the environment is: services, features and axes.
func (e *Env) Opened() *policyv1.OpenResponse { return e.opened }

// NumLanes returns the number of lanes.
func (e *Env) NumLanes() int { return e.lanes }

// ObservationSize returns the length of one lane's observation.
func (e *Env) ObservationSize() int { return len(e.opened.GetFeatures()) }

// Axes returns the number of categories of each axis.
func (e *Env) Axes() []int { return append([]int(nil), e.axes...) }

// Reset starts an episode in every lane; obs is [lane][feature].
func (e *Env) Reset(seed uint64, obs []float32) error {
	if len(obs) != e.lanes*e.ObservationSize() {
		return fmt.Errorf("simulator: reset: %d observations, want %d", len(obs), e.lanes*e.ObservationSize())
	}
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Reset_{Reset_: &policyv1.ResetRequest{Seed: seed}}})
	if err != nil {
		return err
	}
	return floats(obs, answer.GetReset_().GetObservations())
}

// Steps takes intervals with actions [step][lane][axis] that are known beforehand, in one
// message. The answer's arrays are as sim.proto has them; see Floats.
func (e *Env) Steps(actions []int32) (*policyv1.StepResponse, error) {
	e.raw = e.raw[:0]
	for _, a := range actions {
		e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(a))
	}
	answer, err := e.ask(&policyv1.RunRequest{Request: &policyv1.RunRequest_Step{Step: &policyv1.StepRequest{Actions: e.raw}}})
	return answer.GetStep(), err
}

// Step takes one interval: actions is [lane][axis], obs [lane][feature], the others [lane].
func (e *Env) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	if len(actions) != e.lanes*len(e.axes) || len(terminated) != e.lanes || len(truncated) != e.lanes {
		return fmt.Errorf("simulator: step: buffers of %d actions, %d and %d flags; want %d and %d", len(actions), len(terminated), len(truncated), e.lanes*len(e.axes), e.lanes)
	}
	answer, err := e.Steps(actions)
	if err == nil {
		err = errors.Join(floats(obs, answer.GetObservations()), floats(rewards, answer.GetRewards()))
	}
	if err == nil && min(len(answer.GetTerminated()), len(answer.GetTruncated())) != e.lanes {
		err = errors.New("simulator: step: an answer of another number of lanes")
	}
	if err != nil {
		return err
	}
	final := answer.GetFinalObservations()
	for lane := range e.lanes {
		terminated[lane], truncated[lane] = answer.GetTerminated()[lane] == 1, answer.GetTruncated()[lane] == 1
		if !truncated[lane] {
			continue
		}
		last, size := make([]float32, e.ObservationSize()), 4*e.ObservationSize()
		if err := floats(last, final[:min(size, len(final))]); err != nil {
			return err
		}
		e.final[lane], final = last, final[size:]
	}
	return nil
}

// Final writes the last observation of the episode that a lane ended in its last step.
func (e *Env) Final(lane int, obs []float32) {
	clear(obs)
	copy(obs, e.final[lane])
}

// Floats decodes the float32s of an answer.
func Floats(raw []byte) []float32 {
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// floats decodes as many as there are to be.
func floats(to []float32, raw []byte) error {
	if len(raw) != 4*len(to) {
		return fmt.Errorf("simulator: an answer of %d bytes for %d numbers", len(raw), len(to))
	}
	copy(to, Floats(raw))
	return nil
}
