package rules

import (
	"strings"
	"testing"
)

const splitText = `mesh = "shop"
interval = "10s"
[signals]
offered = 'offered'
carried = 'carried'
latency = 'latency'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/a"
  http = "a"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.5
[guard]
authority = "act"
total_blocking = 0.5
[[policy]]
name = "p"
plugin = "p"
role = "active"
`

// Whoever lets windvane act without a way to see what comes of weights is told so, once.
func TestWarnSplit(t *testing.T) {
	const want = "shop.toml:3: signals: has no signal split"
	for name, c := range map[string]struct {
		from, to string
		warned   bool
	}{
		"none":                     {"", "", true},
		"declared":                 {"carried = 'carried'", "carried = 'carried'\nsplit = 'windvane:split:ratio'", false},
		"by the service":           {"name = \"a\"", "name = \"a\"\nsignals = {split = 'x'}", false},
		"nothing is ever set":      {`authority = "act"`, `authority = "observe"`, false},
		"two routes mix, so never": {"  [service.blocking]", "  [[service.route]]\n  virtual_service = \"default/b\"\n  http = \"a\"\n  destinations = [\"v1\", \"v2\"]\n  [service.blocking]", false},
	} {
		m, err := Parse("shop.toml", []byte(strings.Replace(splitText, c.from, c.to, 1)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := ""
		for _, p := range m.Warnings() {
			text += p.String() + "\n"
		}
		if strings.Contains(text, want) != c.warned {
			t.Errorf("%s: warnings\n%s", name, text)
		}
	}
}

func TestSplitsAreOfTheOnlyRoute(t *testing.T) {
	m, err := Parse("shop.toml", []byte(splitText))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Splits()["a"]; len(got) != 2 || got[0] != "v1" || SplitSignal(got[1]) != "split/v2" {
		t.Errorf("%v", got)
	}
}
