package loop

import (
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules/guard"
)

// pace says in an intent whether more than raising blocking is admitted at this time.
func (l *Loop) pace(at time.Time, i *journal.Intent) {
	l.changes = l.changes.Until(at)
	reason, why := l.o.Mesh.Pace().Frozen(at, l.changes)
	i.Limits.Frozen, i.Frozen = string(reason), why
}

// changesWith is the history with what the intent is about to change: whether a write that
// failed has changed something is not known before the next cycle, and may never be.
func (l *Loop) changesWith(at time.Time, i *journal.Intent) guard.History {
	if !i.Act {
		return l.changes
	}
	return l.o.Mesh.Pace().After(l.changes, at, i.Plan)
}
