package emulator

// spells are times that come again and again, each with its numbers from a key.
type spells struct {
	key         uint64
	n           uint64 // numbers drawn
	every, mean float64
	factor      float64 // of the servers meanwhile
	on          bool
}

// draw returns the next exponential number with the given mean.
func (s *spells) draw(mean float64) float64 {
	s.n++
	return exponential(s.key, s.n, mean)
}

// interrupt schedules the first pause and the first burst of a node.
func (e *Emulator) interrupt(i int) {
	n := &e.nodes[i]
	if n.pauses.every > 0 {
		e.events.push(event{at: n.pauses.draw(n.pauses.every), code: code(kindPause, i)})
	}
	if n.bursts.every > 0 {
		e.events.push(event{at: n.bursts.draw(n.bursts.every), code: code(kindBurst, i)})
	}
}

// pause stalls a node. Work in hand finds that out when it would have been done.
func (e *Emulator) pause(i int) {
	n := &e.nodes[i]
	lasts := n.pauses.draw(n.pauses.mean)
	n.stalled += lasts
	n.until = e.now + lasts
	e.events.push(event{at: n.until + n.pauses.draw(n.pauses.every), code: code(kindPause, i)})
}

// burst begins or ends a burst of a node.
func (e *Emulator) burst(i int) {
	b := &e.nodes[i].bursts
	b.on = !b.on
	next := b.every
	if b.on {
		next = b.mean
	}
	e.events.push(event{at: e.now + b.draw(next), code: code(kindBurst, i)})
	e.resize(i)
}
