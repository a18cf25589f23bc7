package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Alert is one that fired at the time of a cycle, as far as it is kept: a few labels, cut to
// a bounded length.
type Alert struct {
	Name        string            `json:"name"`
	Fingerprint string            `json:"fingerprint"` // as Alertmanager gives it
	StartsAt    time.Time         `json:"starts_at"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// String is one line of a list of alerts.
func (a Alert) String() string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		labels = append(labels, fmt.Sprintf("%s=%q", name, a.Labels[name]))
	}
	return strings.TrimRight(fmt.Sprintf("%s since %s  %s", a.Name, a.StartsAt.Format(time.RFC3339), strings.Join(labels, " ")), " ")
}
