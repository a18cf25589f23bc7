package loop

import (
	"slices"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
)

// TakeOver returns what a loop goes on from that takes over a mesh from another daemon: r is
// its own, of the time when it stood by, and left is what the other handed over. Of its own it
// keeps what it has seen, and the numbers of its cycles, by which its journal is read; the
// other's last intent is closed in no journal.
func (r Resume) TakeOver(left Resume) Resume {
	r.Control, r.Commanded, r.Baseline = left.Control, left.Commanded, left.Baseline
	r.changes, r.pending, r.handedOver, r.evidence = left.changes, left.pending, left.handedOver, left.evidence
	return r
}

// standsBy reports whether another daemon may act. What this one has set is not given away by
// that: it goes on from there, or from what the other hands over.
func (l *Loop) standsBy() bool {
	return slices.ContainsFunc(l.sources, func(s journal.AuthoritySource) bool { return s.Source == authority.SourceStandby })
}
