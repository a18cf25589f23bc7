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
	admit, key := s.admit, requestKey(s.key, s.candidate-1)
	e.nextArrival(i)
	if admit {
		e.offer(i, key, 0)
	}
}

// offer brings a service a request: it is refused, or starts on a path.
func (e *Emulator) offer(i int, key uint64, attempt int32) {
	s := &e.services[i]
	s.totals.Offered++
	if uniform(key, purposeBlock) < s.blocking {
		s.totals.Blocked++
		e.metrics.blocked(i)
		e.failed(i, key, attempt, s.retries.Refused)
		return
	}
	u, destination := uniform(key, purposeRoute), 0
	for destination < len(s.cumulative)-1 && u >= s.cumulative[destination] {
		destination++
	}
	r := e.newRequest()
	e.requests[r] = request{
		key: key, arrival: e.now, service: int32(i), destination: int32(destination), attempt: attempt,
		prev: -1, next: -1, older: s.newest, newer: -1, parent: -1, first: -1, sibling: -1,
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
		e.events.push(event{at: e.now + s.timeout, code: code(kindTimeout, i)})
	}
	e.enter(r)
}

// stop is where a request is on its path.
func (e *Emulator) stop(q *request) *visit {
	v := &e.visits[q.service][q.destination][q.visit]
	if q.parent >= 0 {
		v = &v.fork[q.branch]
	}
	return v
}

// enter brings a request to the node of its current visit: to a server, or into the
// queue; or its branches to theirs.
func (e *Emulator) enter(r int32) {
	q := &e.requests[r]
	v := e.stop(q)
	if len(v.fork) > 0 {
		e.fork(r, len(v.fork))
		return
	}
	n := &e.nodes[v.node]
	if n.busy < n.servers {
		e.serve(v.node, r)
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
	v := e.stop(q)
	work := n.work.draw(uniform(q.key, v.draw)) * v.work
	q.stalled = n.stalled
	e.events.push(event{at: max(e.now, n.until) + work, code: code(kindFinish, int(r))})
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

// finish ends a request's work at a node, unless a pause has put that off.
func (e *Emulator) finish(r int32) {
	q := &e.requests[r]
	at := e.stop(q).node
	n := &e.nodes[at]
	if owed := n.stalled - q.stalled; owed > 0 {
		q.stalled = n.stalled
		e.events.push(event{at: e.now + owed, code: code(kindFinish, int(r))})
		return
	}
	n.busy--
	// Those who wait go first, also before a request that comes back to the same node.
	if n.busy < n.servers && n.queueHead >= 0 {
		e.serve(at, e.dequeue(n))
	}
	if q.parent >= 0 {
		e.join(r)
		return
	}
	e.proceed(r)
}

// proceed takes a request from a visit that is over to the next one, or to the answer.
func (e *Emulator) proceed(r int32) {
	q := &e.requests[r]
	switch {
	case q.answered:
		e.free = append(e.free, r)
	case int(q.visit)+1 < len(e.visits[q.service][q.destination]):
		q.visit++
		e.enter(r)
	default:
		e.answer(r, e.now-q.arrival, false)
		e.free = append(e.free, r)
	}
}

// fork sends the branches of a request's visit on their way.
func (e *Emulator) fork(r int32, branches int) {
	e.requests[r].open = int32(branches)
	for b := int32(branches) - 1; b >= 0; b-- {
		c := e.newRequest()
		q := &e.requests[r] // newRequest may have moved it
		e.requests[c] = request{
			key: q.key, service: q.service, destination: q.destination, visit: q.visit,
			prev: -1, next: -1, older: -1, newer: -1, parent: r, branch: b, first: -1, sibling: q.first,
		}
		q.first = c
	}
	for c := e.requests[r].first; c >= 0; c = e.requests[c].sibling {
		e.enter(c)
	}
}

// join ends a branch; with the last one, the request goes on.
func (e *Emulator) join(c int32) {
	r := e.requests[c].parent
	q := &e.requests[r]
	if q.open--; q.open > 0 {
		return
	}
	for b := q.first; b >= 0; b = e.requests[b].sibling {
		e.free = append(e.free, b)
	}
	q.first = -1
	e.proceed(r)
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
		e.abandon(r)
	}
}

// abandon takes a request that was answered out of the queue. What is being served
// only finishes its work.
func (e *Emulator) abandon(r int32) {
	q := &e.requests[r]
	if q.queued {
		e.unqueue(&e.nodes[e.stop(q).node], r)
		e.free = append(e.free, r)
		return
	}
	q.answered = true
	for c := q.first; c >= 0; {
		branch := &e.requests[c]
		next := branch.sibling
		if branch.queued {
			e.unqueue(&e.nodes[e.stop(branch).node], c)
			e.join(c) // the last one frees them all; none that is free is queued
		}
		c = next
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
	i := int(q.service)
	e.metrics.answered(i, int(q.destination), latency*1000, timedOut)
	if timedOut {
		e.failed(i, q.key, q.attempt, s.retries.TimedOut)
	}
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
