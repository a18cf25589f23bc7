package env

import (
	"errors"
	"fmt"
)

// Step takes one interval in every lane: actions are [lane][axis], a category of each
// axis; observations [lane][feature], rewards, terminated and truncated [lane] are
// written. Where a lane is truncated, its observation is the first of the next episode.
// On an error nothing has changed.
func (e *Env) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	if err := e.accept(actions, obs, rewards, terminated, truncated); err != nil {
		return err
	}
	e.batch.Live = actions
	if e.stages > 0 {
		e.command(actions)
		e.batch.Live = e.live
	}
	e.rewarder.Rewards(rewards, &e.batch)
	e.batch.Live = nil // the caller's
	clear(terminated)
	clear(truncated)
	e.advance(obs, truncated)
	return nil
}

// accept checks what Step is given.
func (e *Env) accept(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	n, axes := e.config.Lanes, len(e.sizes)
	switch {
	case !e.ready:
		return errors.New("env: step before reset")
	case len(actions) != n*axes:
		return fmt.Errorf("env: step: %d actions, want %d lanes x %d axes", len(actions), n, axes)
	case len(obs) != n*e.size:
		return fmt.Errorf("env: step: %d observations, want %d lanes x %d", len(obs), n, e.size)
	case len(rewards) != n || len(terminated) != n || len(truncated) != n:
		return fmt.Errorf("env: step: %d rewards, %d terminated, %d truncated; want one for each of %d lanes",
			len(rewards), len(terminated), len(truncated), n)
	}
	for at := 0; at < len(actions); at += axes {
		for axis, c := range actions[at : at+axes] {
			if uint32(c) >= e.sizes[axis] {
				return fmt.Errorf("env: step: lane %d: category %d of axis %d is outside [0, %d)", at/axes, c, axis, e.sizes[axis])
			}
		}
	}
	return nil
}

// command puts the actions into the pipeline, within the step limit, and writes what
// is in force now to live.
func (e *Env) command(actions []int32) {
	axes := len(e.sizes)
	newest := e.head - 1
	if newest < 0 {
		newest = e.stages - 1
	}
	for lane := range e.config.Lanes {
		base := lane * e.stages * axes
		last := e.pipeline[base+newest*axes:][:axes]
		oldest := e.pipeline[base+e.head*axes:][:axes]
		live, want := e.live[lane*axes:][:axes], actions[lane*axes:][:axes]
		for axis, to := range want {
			now := oldest[axis]
			to = e.limiter.Move(axis, last[axis], to)
			oldest[axis] = to
			if e.config.Delay == 0 {
				now = to
			}
			live[axis] = now
		}
	}
	if e.head++; e.head == e.stages {
		e.head = 0
	}
}

// advance moves the loads on, restarts what reached the horizon, and observes.
func (e *Env) advance(obs []float32, truncated []bool) {
	for lane := range e.config.Lanes {
		e.age[lane]++
		at := &e.lanes[lane]
		e.config.Loads.Next(at, &e.rng[lane])
		e.place(lane, at)
		out := obs[lane*e.size:][:e.size]
		if int(e.age[lane]) == e.config.Horizon {
			truncated[lane] = true
			e.observe(lane, e.final[lane*e.size:][:e.size])
			e.begin(lane)
		}
		e.observe(lane, out)
	}
}

// Final writes the last observation of the episode that a lane ended in the last step
// into obs, which has ObservationSize elements. Where the lane was not truncated then,
// what it writes is of an earlier episode, or zero.
func (e *Env) Final(lane int, obs []float32) {
	copy(obs[:e.size], e.final[lane*e.size:][:e.size])
}

// begin starts an episode of a lane.
func (e *Env) begin(lane int) {
	rng := &e.rng[lane]
	e.age[lane] = 0
	e.config.Loads.Start(&e.lanes[lane], rng)
	e.place(lane, &e.lanes[lane])
	if e.stages == 0 {
		return
	}
	axes := len(e.sizes)
	ring := e.pipeline[lane*e.stages*axes:][:e.stages*axes]
	for axis, n := range e.sizes {
		var c int32
		if e.config.Initial != nil {
			c = e.config.Initial[axis]
		} else {
			c = draw(rng, n)
		}
		for at := axis; at < len(ring); at += axes {
			ring[at] = c
		}
	}
}

// place tells the batch where a lane's loads are.
func (e *Env) place(lane int, at *Lane) {
	if e.points != nil {
		e.batch.Point[lane] = at.Point
		return
	}
	e.config.Loads.Offered(at, e.batch.Offered[lane*e.services:][:e.services])
}

// observe writes the observation of a lane.
func (e *Env) observe(lane int, out []float32) {
	n := e.services
	if e.points != nil {
		copy(out[:n], e.points[int(e.batch.Point[lane])*n:])
	} else {
		for s, v := range e.batch.Offered[lane*n:][:n] {
			out[s] = e.load(s, v)
		}
	}
	if e.stages == 0 {
		return
	}
	to, axes := n, len(e.sizes)
	for stage := range e.stages {
		at := e.head + stage
		if at >= e.stages {
			at -= e.stages
		}
		settings := e.pipeline[(lane*e.stages+at)*axes:][:axes]
		for axis, c := range settings {
			w := e.shown.width[axis]
			to += copy(out[to:], e.shown.value[axis][int(c)*w:][:w])
		}
	}
}

// Point returns which of its points a lane's loads are at; -1 where they are a
// continuum. With Commanded, it is the state that a plan over a chain is for.
func (e *Env) Point(lane int) int32 {
	if e.points == nil {
		return -1
	}
	return e.batch.Point[lane]
}

// Commanded writes the settings that were commanded last in a lane into out, a category
// for each axis: what a step limit counts from. It writes nothing where the problem is
// not sequential.
func (e *Env) Commanded(lane int, out []int32) {
	if e.stages == 0 {
		return
	}
	newest := e.head - 1
	if newest < 0 {
		newest = e.stages - 1
	}
	axes := len(e.sizes)
	copy(out, e.pipeline[(lane*e.stages+newest)*axes:][:axes])
}
