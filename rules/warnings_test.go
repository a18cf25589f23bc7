package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	const src = `mesh = "shop"
settle = "5s"
[signals]
offered = 'max by (service) (avg_over_time(offered[1m:5s]))'
errors = 'rate(errors[5s]) / rate(requests[7s])'
[[service]]
name = "a"
  [service.blocking]
  maximum = 0.5
  status = 503
[[service]]
name = "b"
  [[service.objective]]
  signal = "errors"
  target = 0.999
  [[service.route]]
  virtual_service = "default/b"
  http = "b"
  destinations = ["v1", "v2"]
[guard]
authority = "approve"
`
	m, err := Parse("shop.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	want := `shop.toml:1: interval: 5s is shorter than the cooldown of 1m5s, of settle and look-back: after a change, only raising blocking is admitted for 12 cycles (raise interval to 1m5s, or shorten settle and the ranges of the signals)
shop.toml:2: settle: 5s is not shorter than the interval of 5s (an action's effect is then seen one interval late: lower settle or raise interval)
shop.toml:4: signals.offered: looks back 1m, longer than the interval of 5s (it still sees what was before the last action: shorten the range or raise interval)
shop.toml:5: signals.errors: looks back 7s, longer than the interval of 5s (it still sees what was before the last action: shorten the range or raise interval)
shop.toml:6: service[0]: has neither an objective nor a signal latency (nothing will show what an action does to it)
shop.toml:6: service[0]: has no signal carried (without it nobody can tell whether blocking took effect)
shop.toml:8: service[0].blocking: the service has no route on which requests could be blocked in Istio (add a [[service.route]])
shop.toml:10: service[0].blocking.status: 503 may be retried by callers (use 429, which is not)
shop.toml:11: service[1]: has an objective, but no [service.blocking] (load beyond what its routes can carry breaks the objective, and nothing can be done about it)
shop.toml:11: service[1]: has no signal carried (without it nobody can tell whether blocking took effect)
shop.toml:15: service[1].objective[0].target: 0.999 allows 0.72 bad intervals of the 720 in a window of 1h (so small a budget cannot be steered by single intervals; up to 0.99 is realistic)
shop.toml:21: guard.authority: is approve, but no policy is active (give a [[policy]] the role "active")`
	if d := cmp.Diff(want, Problems(m.Warnings()).Error()); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
}

// What single values lead to, in a file that is otherwise without warnings.
func TestWarningsOfPromises(t *testing.T) {
	const file = `mesh = "shop"
interval = "INTERVAL"
SCRAPE
[signals]
offered = 'sum by (service) (rate(requests[3s]))'
carried = 'carried'
latency = 'latency'
[[service]]
name = "a"
FLOOR
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = TARGET
  window = "WINDOW"
  [[service.route]]
  virtual_service = "default/a"
  http = "a"
  destinations = ["v1", "v2"]
BLOCKING
[[service]]
name = "b"
blocking = {maximum = 0.9}
objective = [{signal = "latency", bound = "1s", target = 0.9}]
route = [{virtual_service = "default/a", http = "b", destinations = ["v1", "v2"]}]
GUARD
`
	values := []string{
		"INTERVAL", "5s", "SCRAPE", "", "FLOOR", "", "TARGET", "0.95", "WINDOW", "1h",
		"BLOCKING", "[service.blocking]\nmaximum = 0.8", "GUARD", "[guard]\ntotal_blocking = 0.8",
	}
	for name, tc := range map[string]struct {
		change []string // pairs that replace the ones above
		want   string
	}{
		"none":                     {nil, ""},
		"0.99 is not above":        {[]string{"TARGET", "0.99"}, ""},
		"a fine target":            {[]string{"TARGET", "0.9999"}, "14: service[0].objective[0].target: 0.9999 allows 0.072 bad intervals of the 720 in a window of 1h ("},
		"a fine target, long":      {[]string{"TARGET", "0.9999", "WINDOW", "30d"}, "14: service[0].objective[0].target: 0.9999 allows 52 bad intervals of the 518400 in a window of 30d ("},
		"a short window":           {[]string{"WINDOW", "1m"}, "15: service[0].objective[0].window: 0.95 allows 0.6 bad intervals of the 12 in a window of 1m (one bad interval overspends it: "},
		"one bad interval":         {[]string{"WINDOW", "100s"}, ""},
		"scraped as often":         {[]string{"SCRAPE", `scrape_interval = "1s500ms"`}, ""},
		"scraped too rarely":       {[]string{"SCRAPE", `scrape_interval = "5s"`}, "5: signals.offered: looks back 3s, less than two scrape intervals of 5s (functions such as rate() need two samples: "},
		"shorter than scrapes":     {[]string{"SCRAPE", `scrape_interval = "15s"`}, "2: interval: 5s is shorter than the scrape interval of 15s (a cycle without new samples is no interval"},
		"a cap below the maxima":   {[]string{"GUARD", "[guard]\ntotal_blocking = 0.5"}, "guard.total_blocking: 0.5 keeps services that are overloaded together below their blocking.maximum of 0.8: beyond 2 times the load"},
		"the cap of no guard":      {[]string{"GUARD", ""}, "1: guard.total_blocking: 0.5 keeps services"},
		"a cap of 0":               {[]string{"GUARD", "[guard]\ntotal_blocking = 0"}, "guard.total_blocking: 0 forbids all blocking, so that no overload can be shed (raise it to 0.8, or lower blocking.maximum)"},
		"a maximum below the cap":  {[]string{"BLOCKING", "[service.blocking]\nmaximum = 0.2", "GUARD", "[guard]\ntotal_blocking = 0.3"}, ""},
		"longer than the interval": {[]string{"SCRAPE", `settle = "4s"`}, "2: interval: 5s is shorter than the cooldown of 7s, of settle and look-back: after a change, only raising blocking is admitted for 1 cycle (raise interval to 7s"},
		"as long as the interval":  {[]string{"SCRAPE", `settle = "2s"`}, ""},
		"a short cooldown":         {[]string{"GUARD", "[guard]\ntotal_blocking = 0.8\ncooldown = '4s'"}, "29: guard.cooldown: 4s is shorter than the 5s that settle and the signals' look-back take ("},
		"no cooldown":              {[]string{"GUARD", "[guard]\ntotal_blocking = 0.8\ncooldown = '0s'"}, "29: guard.cooldown: 0s is shorter than the 5s"},
		"a long cooldown":          {[]string{"GUARD", "[guard]\ntotal_blocking = 0.8\ncooldown = '15s'"}, "29: guard.cooldown: 15s is longer than the interval of 5s: after a change, only raising blocking is admitted for 2 cycles (lower it, or raise interval)"},
		"no blocking":              {[]string{"BLOCKING", "", "GUARD", "[guard]\ntotal_blocking = 1"}, "8: service[0]: has an objective, but no [service.blocking] (load beyond"},
		"no blocking, but scaling": {[]string{"BLOCKING", "", "GUARD", "[guard]\ntotal_blocking = 1\n[[workload]]\nname = 'n'\ndeployment = 'd/n'\nreplicas = {minimum = 1, maximum = 2}"}, ""},
		"a floor and no blocking":  {[]string{"BLOCKING", "", "GUARD", "[guard]\ntotal_blocking = 1", "FLOOR", `minimum_carried = "2/s"`}, "10: service[0].minimum_carried: limits nothing, because the service is never blocked ("},
	} {
		t.Run(name, func(t *testing.T) {
			// The first of two pairs for the same word is the one that replaces.
			src := strings.NewReplacer(append(tc.change, values...)...).Replace(file)
			m, err := Parse("shop.toml", []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			got := Problems(m.Warnings()).Error()
			if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// The cap that is warned of is the smallest that leaves every service its maximum when
// all are overloaded alike.
func TestTheCapThatIsAskedForEndsTheWarning(t *testing.T) {
	for _, maxima := range [][]float64{{.5}, {.6, .9}, {1, 1, 1}, {.1, .05}} {
		for _, most := range []float64{0, .04, .3, .55, .99, 1} {
			m := &Mesh{Guard: Guard{TotalBlocking: most}}
			least := 1.0
			for _, b := range maxima {
				m.Services = append(m.Services, Service{Blocking: &Blocking{Maximum: b}})
				least = min(least, b)
			}
			var hints []string
			m.warnCap(func(_, _, hint string) { hints = append(hints, hint) })
			if warned := len(hints) == 1; warned != (most < least) {
				t.Errorf("maxima %v, cap %v: hints %q", maxima, most, hints)
				continue
			}
			if len(hints) == 1 && !strings.HasPrefix(hints[0], fmt.Sprintf("raise it to %v,", least)) {
				t.Errorf("maxima %v, cap %v: %s", maxima, most, hints[0])
			}
		}
	}
}
