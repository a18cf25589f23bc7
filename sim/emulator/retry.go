package emulator

// failed decides what becomes of a request that was refused or timed out.
func (e *Emulator) failed(i int, key uint64, attempt int32, retried bool) {
	s := &e.services[i]
	if !retried || int(attempt) >= s.retries.Attempts {
		s.totals.GivenUp++
		return
	}
	s.totals.Waiting++
	wait := s.retries.BackoffSeconds * float64(int(1)<<attempt) * (.5 + uniform(key, purposeBackoff))
	r := e.newRequest()
	e.requests[r] = request{key: nextAttempt(key), service: int32(i), attempt: attempt + 1}
	e.events.push(event{at: e.now + wait, code: code(kindRetry, int(r))})
}

// retry sends a request again.
func (e *Emulator) retry(r int32) {
	q := e.requests[r]
	e.free = append(e.free, r)
	s := &e.services[q.service]
	s.totals.Waiting--
	s.totals.Retries++
	e.offer(int(q.service), q.key, q.attempt)
}
