package dataset

import "github.com/windvane/windvane/plugins/policy"

// Queue knows of the requests that wait from one interval to the next. Where a bound was
// broken they do, and they are slow in the next interval, too, whatever its settings: what
// is measured then, under other settings or less load, says nothing about these. A model
// that learns it takes the strongest settings for the slowest, because they were in force
// while queues of the time before drained. On an Envoy with two services, one second an
// interval, a quarter of the intervals of an exploration were of that kind, and with them
// the model explained 5 to 15 % of the latencies' variance in place of 32 to 45 %.
type Queue struct {
	Services []policy.Service

	settings policy.Action // of the interval before
	state    policy.State  // at its end
	broken   bool          // a bound, in it
	foreign  bool          // it began with the queue of others, too
}

// Over takes the next interval and reports whether it began with a queue that is not of its
// own settings and load. It lasts until no bound is broken.
func (q *Queue) Over(settings policy.Action, state policy.State) bool {
	other := !settings.Equal(q.settings, policy.Rounding) || q.lighter(state)
	foreign := q.broken && (q.foreign || other)
	q.settings, q.state, q.foreign = settings, state, foreign
	if broken, known := q.judge(state); known {
		q.broken = broken
	}
	return foreign
}

// lighter reports whether a service is offered clearly less than in the interval before.
func (q *Queue) lighter(state policy.State) bool {
	const clearly = .9 // requests that arrive at random vary by less from interval to interval, where they matter
	for _, s := range q.Services {
		now, known := state.Role(s.Name, policy.RoleOffered).Get()
		before, knew := q.state.Role(s.Name, policy.RoleOffered).Get()
		if known && knew && now < clearly*before {
			return true
		}
	}
	return false
}

// judge reports whether a latency was above its bound, and whether any was known.
func (q *Queue) judge(state policy.State) (broken, known bool) {
	for _, s := range q.Services {
		for _, o := range s.Objectives {
			if o.Kind != policy.LatencyObjective {
				continue
			}
			v, ok := state.Find(s.Name, o.Signal).Get()
			broken, known = broken || ok && v > o.Bound, known || ok
		}
	}
	return broken, known
}
