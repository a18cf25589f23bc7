package api

import (
	"fmt"

	"github.com/windvane/windvane/daemon/journal"
)

// AlertState is what Alertmanager has said of a mesh.
type AlertState struct {
	Alerts  []journal.Alert `json:"alerts"`                   // that fire, the newest of them
	Omitted int             `json:"alerts_omitted,omitempty"` // how many more do
}

// alertLines say for a person what fires.
func (a AlertState) alertLines() []string {
	var out []string
	for _, x := range a.Alerts {
		out = append(out, "alert: "+x.String())
	}
	if a.Omitted > 0 {
		out = append(out, fmt.Sprintf("and %d alerts more", a.Omitted))
	}
	return out
}
