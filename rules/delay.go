package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Delay is how long it takes from an action until what is measured is of that action
// alone, as far as the rules file tells.
type Delay struct {
	Settle   time.Duration // until the mesh has taken it up
	LookBack time.Duration // longest range of a query
	Scrape   time.Duration // until there is a sample; 0: not declared
	Offset   time.Duration // of the evaluation; windvane.toml has it
	Interval time.Duration
}

// Delay returns the delay of the mesh. What recording rules look back is not in the file.
func (m *Mesh) Delay() Delay {
	d := Delay{Settle: m.Settle, Scrape: m.ScrapeInterval, Interval: m.Interval}
	for _, q := range m.Queries() {
		longest, _ := q.ranges()
		d.LookBack = max(d.LookBack, longest)
	}
	return d
}

// Total is the sum of the parts.
func (d Delay) Total() time.Duration { return d.Settle + d.LookBack + d.Scrape + d.Offset }

// Cycles is in which cycle after the one that acted the outcome is measured: 1, if it is
// the next.
func (d Delay) Cycles() int {
	return max(1, int((d.Total()+d.Interval-1)/d.Interval))
}

// String says what the delay is made of.
func (d Delay) String() string {
	var parts []string
	for _, p := range []struct {
		name string
		d    time.Duration
	}{{"settle", d.Settle}, {"look-back", d.LookBack}, {"scrape", d.Scrape}, {"query offset", d.Offset}} {
		if p.d > 0 {
			parts = append(parts, p.name+" "+model.Duration(p.d).String())
		}
	}
	text := fmt.Sprintf("an action is measured in full after %s", model.Duration(d.Total()))
	if len(parts) > 1 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if d.LookBack == 0 {
		return text + " and what the recording rules look back"
	}
	if n := d.Cycles(); n > 1 {
		return fmt.Sprintf("%s: %d cycles later", text, n)
	}
	return text + ": in the next cycle"
}
