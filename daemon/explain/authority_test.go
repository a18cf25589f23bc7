package explain

import "github.com/windvane/windvane/daemon/journal"

// waiting is a cycle whose plan waits for a person, and one that applies it.
func waiting() []journal.Intent {
	waits := intent(5)
	waits.Authority, waits.Act, waits.Edits, waits.Pending = "approve", false, nil, "1a2b3c4d"
	waits.Superseded = "plan 00000001: it has expired"
	waits.Sources = []journal.AuthoritySource{
		{Source: "file", Level: "act", By: "rules.d/waiting.toml"},
		{Source: "command", Level: "approve", By: "alice", Since: at},
		{Source: "annotation", Level: "act", By: "VirtualService default/front", Since: at},
	}
	approved := intent(6)
	approved.Authority, approved.Edits, approved.Sources = "approve", nil, waits.Sources
	approved.Approval = &journal.Approval{ID: "1a2b3c4d", By: "bob"}
	return []journal.Intent{waits, approved}
}
