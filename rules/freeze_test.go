package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules/guard"
)

// guarded is a mesh with what is given in [guard].
func guarded(t *testing.T, text string) *Mesh {
	t.Helper()
	m, err := Parse("shop.toml", []byte(`mesh = "shop"
settle = "2s"
[signals]
offered = 'sum by (service) (rate(requests[3s]))'
latency = 'latency'
[[service]]
name = "a"
objective = [{signal = "latency", bound = "1s", target = 0.9}]
[guard]
`+text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFreezes(t *testing.T) {
	m := guarded(t, `changes_per_hour = 60
[[guard.freeze]]
name = "nights"
days = ["saturday", "monday"]
from = "22:00"
to = "06:30"
time_zone = "Europe/Stockholm"
[[guard.freeze]]
name = "holidays"
start = 2026-12-24T18:00:00+01:00
end = "2026-12-27T00:00:00Z"
[[guard.freeze]]
name = "mornings"
to = "08:00"
time_zone = "UTC"
end = 2027-01-01T00:00:00Z
`)
	var got []string
	for _, f := range m.Pace().Freezes {
		got = append(got, f.String())
	}
	want := []string{
		"nights: monday saturday, 22:00 to 06:30 in Europe/Stockholm",
		"holidays: from 2026-12-24T18:00:00+01:00, until 2026-12-27T00:00:00Z",
		"mornings: every day, 00:00 to 08:00 in UTC, until 2027-01-01T00:00:00Z",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if p := m.Pace(); p.Cooldown != 5*time.Second || p.ChangesPerHour != 60 {
		t.Errorf("a cooldown of %s and %d changes", p.Cooldown, p.ChangesPerHour)
	}
	at := time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC)
	if reason, why := m.Pace().Frozen(at, nil); reason != guard.Freeze || !strings.HasPrefix(why, "freeze window holidays:") {
		t.Errorf("at the first instant of the holidays: %q, %q", reason, why)
	}
	if reason, _ := m.Pace().Frozen(at.Add(-time.Nanosecond), nil); reason != "" {
		t.Errorf("before the holidays: %q", reason)
	}
}

func TestCooldownIsDerivedUnlessGiven(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 5 * time.Second, `cooldown = "30s"`: 30 * time.Second, `cooldown = "0s"`: 0} {
		if m := guarded(t, text); m.Pace().Cooldown != want || m.Guard.CooldownGiven != (text != "") {
			t.Errorf("%q: a cooldown of %s, given %v; want %s", text, m.Pace().Cooldown, m.Guard.CooldownGiven, want)
		}
	}
}
