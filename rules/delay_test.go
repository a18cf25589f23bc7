package rules

import (
	"strings"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	const file = `mesh = "shop"
interval = "5s"
settle = "SETTLE"
SCRAPE
[signals]
offered = 'sum by (service) (rate(requests[5s]))'
latency = 'latency'
[[service]]
name = "a"
[service.blocking]
maximum = 0.5
[service.signals]
latency = 'max(max_over_time(latency[2s]))'
`
	for _, tc := range []struct {
		settle, scrape string
		cycles         int
		want           string
	}{
		{"0s", "", 1, "an action is measured in full after 5s: in the next cycle"},
		{"2s", "", 2, "an action is measured in full after 7s (settle 2s, look-back 5s): 2 cycles later"},
		{"2s", `scrape_interval = "5s"`, 3, "an action is measured in full after 12s (settle 2s, look-back 5s, scrape 5s): 3 cycles later"},
	} {
		m, err := Parse("shop.toml", []byte(strings.NewReplacer("SETTLE", tc.settle, "SCRAPE", tc.scrape).Replace(file)))
		if err != nil {
			t.Fatal(err)
		}
		if d := m.Delay(); d.Cycles() != tc.cycles || d.String() != tc.want {
			t.Errorf("%d cycles, %s; want %d, %s", d.Cycles(), d, tc.cycles, tc.want)
		}
	}
	d := Delay{Settle: time.Second, Offset: 5 * time.Second, Interval: 5 * time.Second}
	if want := "an action is measured in full after 6s (settle 1s, query offset 5s) and what the recording rules look back"; d.String() != want {
		t.Errorf("got %s, want %s", d, want)
	}
	if n := (Delay{Interval: time.Second}).Cycles(); n != 1 {
		t.Errorf("without any delay: %d cycles, want 1", n)
	}
}
