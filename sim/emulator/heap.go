package emulator

// The kinds of events. Events of one instant happen in this order: a change is
// in force for what happens with it, and a request that finishes in the moment
// of its timeout has made it.
const (
	kindSettings uint64 = iota // index: in pending
	kindFault                  // index: the node
	kindBurst                  // index: the node
	kindPause                  // index: the node
	kindFinish                 // index: the request
	kindTimeout                // index: the service
	kindRetry                  // index: the request
	kindArrival                // index: the service
)

// event is a moment and what happens then: the kind in the upper half of code, an index in the lower.
type event struct {
	at   float64
	code uint64
}

func code(kind uint64, index int) uint64 { return kind<<32 | uint64(uint32(index)) }

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.code < b.code }

// heap is a 4-ary min-heap of events: flatter than a binary one, and typed, so
// that nothing is boxed. Its order is total, so equal times are no source of chance.
type heap []event

func (h *heap) push(e event) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = e
}

// pop removes the first event of a heap that has one.
func (h *heap) pop() event {
	s := *h
	top, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return top
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= len(s) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(s)); c++ {
			if s[c].before(s[least]) {
				least = c
			}
		}
		if !s[least].before(last) {
			break
		}
		s[i] = s[least]
		i = least
	}
	s[i] = last
	return top
}
