package rules

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules/budget"
)

const sharedHead = `mesh = "shop"
[signals]
offered = 'offered'
carried = 'carried'
latency = 'latency'
[guard]
total_blocking = 1
[[budget]]
name = "checkout"
target = %v
window = "2h"
`

const sharedService = `[[service]]
name = "%s"
route = [{virtual_service = "default/a", http = "%[1]s", destinations = ["v1", "v2"]}]
blocking = {maximum = 0.9}
objective = [{signal = "latency", bound = "100ms", budget = "checkout"%s}]
`

// Objectives that share a budget get equal parts of it, or those that weights ask for.
func TestSharedBudget(t *testing.T) {
	src := fmt.Sprintf(sharedHead, .95) + fmt.Sprintf(sharedService, "a", ", weight = 3") + fmt.Sprintf(sharedService, "b", "") + fmt.Sprintf(sharedService, "c", "")
	m, err := Parse("shop.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]SharedBudget{{"checkout", .95, 2 * time.Hour}}, m.Budgets); d != "" {
		t.Errorf("budgets (-want +got):\n%s", d)
	}
	var got []budget.Objective
	for _, r := range m.Ledger().Reports(time.Unix(0, 0)) {
		got = append(got, r.Objective)
	}
	want := []budget.Objective{
		{Service: "a", Signal: "latency", Budget: .03, Window: 2 * time.Hour, Shared: "checkout"},
		{Service: "b", Signal: "latency", Budget: .01, Window: 2 * time.Hour, Shared: "checkout"},
		{Service: "c", Signal: "latency", Budget: .01, Window: 2 * time.Hour, Shared: "checkout"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	if w := m.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	for i, s := range m.PolicyServices() {
		if o := s.Objectives[0]; o.Budget != want[i].Budget {
			t.Errorf("policies are told a budget of %v for %s, want %v", o.Budget, s.Name, want[i].Budget)
		}
	}
}

// However a budget is split, what objectives get adds up to it.
func TestPartsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1000))
	for range 50 {
		target := .5 + .49*r.Float64()
		src := fmt.Sprintf(sharedHead, target)
		for i := range 1 + r.IntN(6) {
			src += fmt.Sprintf(sharedService, fmt.Sprintf("s%d", i), fmt.Sprintf(", weight = %v", .01+r.Float64()))
		}
		m, err := Parse("shop.toml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, s := range m.Services {
			sum += s.Objectives[0].Budget()
		}
		if math.Abs(sum-(1-target)) > 1e-9 {
			t.Errorf("target %v: parts of %v", target, sum)
		}
	}
}

func TestSharedBudgetsAreWarnedOf(t *testing.T) {
	src := fmt.Sprintf(sharedHead, .98)
	m, err := Parse("shop.toml", []byte(src+fmt.Sprintf(sharedService, "a", "")+fmt.Sprintf(sharedService, "b", ", weight = 4")))
	if err != nil {
		t.Fatal(err)
	}
	want := `shop.toml:16: service[0].objective[0].budget: its part of budget "checkout" is a target of 0.996: it allows 5.8 bad intervals of the 1440 in a window of 2h (lower the budget's target, lengthen its window, or let fewer objectives share it)`
	if got := Problems(m.Warnings()).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m, err = Parse("shop.toml", []byte(src+strings.Replace(fmt.Sprintf(sharedService, "a", ""), `budget = "checkout"`, "target = 0.9", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if w := m.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0].String(), `shop.toml:8: budget[0]: nothing shares the budget "checkout" (write budget = "checkout"`) {
		t.Errorf("warnings: %v", w)
	}
}
