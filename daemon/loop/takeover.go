package loop

// TakeOver returns what a loop goes on from that takes over a mesh from another daemon: r is
// its own, of the time when it stood by, and left is what the other handed over. Of its own it
// keeps what it has seen, and the numbers of its cycles, by which its journal is read; the
// other's last intent is closed in no journal.
func (r Resume) TakeOver(left Resume) Resume {
	r.Control, r.Commanded, r.Baseline = left.Control, left.Commanded, left.Baseline
	r.changes, r.pending, r.handedOver, r.evidence = left.changes, left.pending, left.handedOver, left.evidence
	return r
}
