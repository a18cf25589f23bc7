package simserver

import (
	"fmt"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/sim/env"
)

// config translates what a client asks for. Every error is the client's.
func (s *Scenario) config(r *policyv1.OpenRequest) (env.Config, error) {
	c := env.Config{
		Backend: s.Backend, Lanes: int(r.GetLanes()), FirstLane: int(r.GetFirstLane()),
		Horizon: int(r.GetHorizon()), Delay: int(r.GetDelay()), StepLimit: int(r.GetStepLimit()), FreeRaise: r.GetFreeRaise(),
	}
	if c.Lanes > maxLanes || c.Delay > maxDelay {
		return c, fmt.Errorf("%d lanes with a delay of %d; want at most %d and %d", c.Lanes, c.Delay, maxLanes, maxDelay)
	}
	points, err := s.points(r.GetLoads().GetPoints())
	if err != nil {
		return c, err
	}
	hold := int(r.GetLoads().GetHold())
	switch order := r.GetLoads().GetOrder(); order {
	case policyv1.LoadOrder_LOAD_ORDER_UNSPECIFIED, policyv1.LoadOrder_LOAD_ORDER_DRAWN:
		if hold < 0 {
			return c, fmt.Errorf("loads: hold %d; want the mean number of intervals, at least 1", hold)
		}
		c.Loads, err = env.Uniform(points, max(hold, 1))
	case policyv1.LoadOrder_LOAD_ORDER_CYCLE:
		if hold != 0 {
			return c, fmt.Errorf("loads: hold %d with LOAD_ORDER_CYCLE, in which each point stays for one interval; repeat points instead", hold)
		}
		c.Loads, err = env.Cycle(points)
	default:
		return c, fmt.Errorf("loads: unknown order %d", order)
	}
	return c, err
}

// Bounds on what a client can ask for, so that a mistake of one is told and does not use
// up the memory of all.
const (
	maxLanes = 1 << 20
	maxDelay = 1000
)

// points splits the loads of a client by point, and checks that the back end knows them.
func (s *Scenario) points(flat []float64) ([][]float64, error) {
	if len(flat) == 0 {
		return s.Points, nil
	}
	n, known := len(s.Services), s.Backend.Offered()
	if len(flat)%n != 0 {
		return nil, fmt.Errorf("loads: %d numbers, which are no whole points of %d services", len(flat), n)
	}
	out := make([][]float64, len(flat)/n)
	for i := range out {
		out[i] = flat[i*n:][:n:n]
		for j, v := range out[i] {
			if !(v >= known[j].Min && v <= known[j].Max) {
				return nil, fmt.Errorf("loads: point %d offers %s %v/s, and the simulator knows %.6g to %.6g/s only",
					i, s.Services[j], v, known[j].Min, known[j].Max)
			}
		}
	}
	return out, nil
}

// describe says what an environment is.
func (s *Scenario) describe(e *env.Env, mostSteps int) (*policyv1.OpenResponse, error) {
	out := &policyv1.OpenResponse{Mesh: s.Mesh, Reward: s.Reward, MostSteps: int32(mostSteps)}
	for i, r := range e.Offered() {
		out.Services = append(out.Services, &policyv1.OfferedLoad{Service: s.Services[i], Min: r.Min, Max: r.Max})
	}
	for _, name := range e.FeatureNames(s.Services) {
		out.Features = append(out.Features, &policyv1.Feature{Name: name, Low: env.MinObservation, High: env.MaxObservation})
	}
	knobs := e.Space().Knobs()
	axes, err := policy.Axes(knobs)
	if err != nil {
		return nil, err
	}
	for _, a := range axes {
		axis := &policyv1.Axis{}
		for _, k := range knobs[a.First:][:len(a.Values[0])] {
			axis.Knobs = append(axis.Knobs, &policyv1.SimulatedKnob{Kind: string(k.Kind), Target: k.Target, Part: k.Part, Service: k.Service})
		}
		for _, values := range a.Values {
			axis.Values = append(axis.Values, values...)
		}
		out.Axes = append(out.Axes, axis)
	}
	return out, nil
}
