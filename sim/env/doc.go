// Package env is the simulator that policies are trained and judged in: many copies
// ("lanes") of one mesh, stepped at once, an interval a step.
//
// # The contract
//
// It is Gymnasium's, for a vector of lanes, with buffers that the caller owns and
// nothing allocated in a step:
//
//	e, err := env.New(config)
//	obs := make([]float32, e.NumLanes()*e.ObservationSize())
//	err = e.Reset(seed, obs)
//	for … {
//		// fill actions ([lane][axis], a category of each axis)
//		err = e.Step(actions, obs, rewards, terminated, truncated)
//	}
//
// One step of a lane is one interval: the observation shows the offered load, the
// action is taken, the interval passes under that load with the settings that are then
// in force, the reward is what it was worth, and the next observation shows the load of
// the next interval.
//
//   - Truncation is not termination. A mesh does not end, so that terminated is always
//     false; truncated says that the horizon was reached. The lane then starts anew in
//     the same step: its observation is the first of its next episode, and Final has the
//     last one of the episode that ended, whose value a learner bootstraps with.
//   - The random numbers belong to the environment, one stream a lane: what a lane sees
//     depends on the seed, its number and its own actions, not on the other lanes or
//     how many there are.
//   - Buffers are read and written during a call and never kept.
//   - A buffer of a wrong length, or an action that is no category of its axis, is an
//     error, and then nothing has changed.
//
// An Env is for one goroutine. For several cores, make several of them; back ends can
// be shared where they say so.
//
// # Actions
//
// An action is one category for each axis of the knobs' grid (policy.Axes): the value
// of one knob, or the weights of one target together. Space converts between
// categories, a flat index in the order of policy.Grid, and settings.
//
// # What makes it sequential
//
// Without Delay and StepLimit each interval is a problem of its own, and a policy that
// is best for each load is best. With StepLimit an axis moves at most so many levels in
// an interval. With Delay an action is in force so many intervals later. Observations
// then also show the settings in the pipeline, without which the future would not
// depend on the observation alone.
//
// # Observations
//
// First the offered load of each service, 0 and 1 being the ends of the range that the
// back end knows. In a sequential problem then the settings that were commanded, oldest
// first (Delay of them, or the last one with StepLimit alone): for each of them, knob
// by knob, the value over the knob's range; the last weight of a target is left out,
// as the others give it. Everything is clamped to [-1, 2].
package env
