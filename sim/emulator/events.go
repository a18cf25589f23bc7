package emulator

import "math"

// thinningBatch bounds the candidates looked at in one event, so that a load
// that stays at zero does not keep Advance from returning.
const thinningBatch = 64

// nextArrival schedules the service's next request by thinning the Poisson
// process of its greatest rate (Lewis and Shedler 1979).
func (e *Emulator) nextArrival(i int) {
	s := &e.services[i]
	if s.maxRate <= 0 {
		return
	}
	for range thinningBatch {
		key := requestKey(s.key, s.candidate)
		s.candidate++
		s.arrival -= math.Log(uniform(key, purposeGap)) / s.maxRate
		s.admit = uniform(key, purposeAccept)*s.maxRate < s.load.Rate(s.arrival)
		if s.admit {
			break
		}
	}
	e.events.push(event{at: s.arrival, code: code(kindArrival, i)})
}

func (e *Emulator) arrive(i int) {
	s := &e.services[i]
	if !s.admit {
		e.nextArrival(i)
		return
	}
	key := requestKey(s.key, s.candidate-1)
	s.totals.Offered++
	if uniform(key, purposeBlock) < s.blocking {
		s.totals.Blocked++
		e.metrics.blocked(i)
		e.nextArrival(i)
		return
	}
	u, destination := uniform(key, purposeRoute), 0
	for destination < len(s.cumulative)-1 && u >= s.cumulative[destination] {
		destination++
	}
	r := e.newRequest()
	e.requests[r] = request{
		key: key, arrival: s.arrival, service: int32(i), destination: int32(destination),
		prev: -1, next: -1, older: s.newest, newer: -1,
	}
	if s.newest >= 0 {
		e.requests[s.newest].newer = r
	} else {
		s.oldest = r
	}
	s.newest = r
	s.totals.InFlight++
	if !s.armed {
		s.armed = true
		e.events.push(event{at: s.arrival + s.timeout, code: code(kindTimeout, i)})
	}
	e.nextArrival(i)
	e.enter(r)
}

// enter brings a request to the node of its current visit: to a server, or into the queue.
func (e *Emulator) enter(r int32) {
	q := &e.requests[r]
	at := e.visits[q.service][q.destination][q.visit].node
	n := &e.nodes[at]
	if n.busy < n.servers {
		e.serve(at, r)
		return
	}
	q.queued = true
	q.prev, q.next = n.queueTail, -1
	if n.queueTail >= 0 {
		e.requests[n.queueTail].next = r
	} else {
		n.queueHead = r
	}
	n.queueTail = r
}

func (e *Emulator) serve(at, r int32) {
	q, n := &e.requests[r], &e.nodes[at]
	n.busy++
	factor := e.visits[q.service][q.destination][q.visit].work
	work := n.work.draw(uniform(q.key, purposeWork+uint64(q.visit))) * factor
	e.events.push(event{at: e.now + work, code: code(kindFinish, int(r))})
}

// dequeue takes the first request of a queue that is not empty.
func (e *Emulator) dequeue(n *node) int32 {
	r := n.queueHead
	e.unqueue(n, r)
	return r
}

func (e *Emulator) unqueue(n *node, r int32) {
	q := &e.requests[r]
	if q.prev >= 0 {
		e.requests[q.prev].next = q.next
	} else {
		n.queueHead = q.next
	}
	if q.next >= 0 {
		e.requests[q.next].prev = q.prev
	} else {
		n.queueTail = q.prev
	}
	q.queued = false
}

// finish ends a request's work at a node: on to the next one, or the answer.
func (e *Emulator) finish(r int32) {
	q := &e.requests[r]
	path := e.visits[q.service][q.destination]
	at := path[q.visit].node
	n := &e.nodes[at]
	n.busy--
	// Those who wait go first, also before a request that comes back to the same node.
	if n.busy < n.servers && n.queueHead >= 0 {
		e.serve(at, e.dequeue(n))
	}
	switch {
	case q.answered:
		e.free = append(e.free, r)
	case int(q.visit)+1 < len(path):
		q.visit++
		e.enter(r)
	default:
		e.answer(r, e.now-q.arrival, false)
		e.free = append(e.free, r)
	}
}

// expire answers the service's requests whose time is up, and looks again at the next one's.
func (e *Emulator) expire(i int) {
	s := &e.services[i]
	s.armed = false
	for s.oldest >= 0 {
		r := s.oldest
		q := &e.requests[r]
		if deadline := q.arrival + s.timeout; deadline > e.now {
			s.armed = true
			e.events.push(event{at: deadline, code: code(kindTimeout, i)})
			return
		}
		e.answer(r, s.timeout, true)
		if q.queued {
			e.unqueue(&e.nodes[e.visits[q.service][q.destination][q.visit].node], r)
			e.free = append(e.free, r)
		} else {
			q.answered = true
		}
	}
}

// answer counts an answer and strikes the request from the unanswered ones.
func (e *Emulator) answer(r int32, latency float64, timedOut bool) {
	q := &e.requests[r]
	s := &e.services[q.service]
	if q.older >= 0 {
		e.requests[q.older].newer = q.newer
	} else {
		s.oldest = q.newer
	}
	if q.newer >= 0 {
		e.requests[q.newer].older = q.older
	} else {
		s.newest = q.older
	}
	s.totals.InFlight--
	s.totals.Answered++
	s.totals.LatencySeconds += latency
	if timedOut {
		s.totals.TimedOut++
	} else {
		s.totals.Carried++
	}
	if s.bound > 0 && latency > s.bound {
		s.totals.Slow++
	}
	e.metrics.answered(int(q.service), int(q.destination), latency*1000, timedOut)
}

func (e *Emulator) newRequest() int32 {
	if n := len(e.free); n > 0 {
		r := e.free[n-1]
		e.free = e.free[:n-1]
		return r
	}
	e.requests = append(e.requests, request{})
	return int32(len(e.requests) - 1)
}
