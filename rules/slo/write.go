package slo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/common/model"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

var (
	notPlain  = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	notSignal = regexp.MustCompile(`[^a-z0-9]+`)
)

// plain makes a name of a rules file of any text.
func plain(name string) string {
	name = strings.Trim(notPlain.ReplaceAllString(name, "-"), "-.")
	if len(name) > 200 {
		name = strings.TrimRight(name[:200], "-.")
	}
	return cmp.Or(name, "service")
}

// signalName makes the name of a signal that the service does not have yet.
func (s *service) signalName(name string) string {
	name = strings.Trim(notSignal.ReplaceAllString(strings.ToLower(name), "_"), "_")
	if len(name) > 100 {
		name = strings.TrimRight(name[:100], "_")
	}
	name = "slo_" + cmp.Or(name, "signal")
	unique := name
	for n := 2; s.has(unique); n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	return unique
}

func (s *service) has(name string) bool {
	for _, x := range s.signals {
		if x.name == name {
			return true
		}
	}
	return false
}

// quote writes a string of TOML: as it is, where that is possible.
func quote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == '\'' || r < ' ' || r == 0x7f || r == 0xfffd }) {
		return "'" + s + "'"
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "''" // a string can always be marshalled
	}
	return strings.ReplaceAll(string(b), "\x7f", `\u007f`)
}

// comment writes a text so that it cannot end the comment.
func comment(text string) string {
	return "# " + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }), " ")
}

// write writes the rules file.
func (m *mesh) write() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	line("# Made by windvane import slo --from %s. Targets, windows and what is bad are those of the original.", m.options.From)
	line("# windvane counts intervals: the share of bad requests is averaged over intervals, not over requests.")
	if len(m.lost) > 0 {
		line("# Not carried over:")
		for _, l := range m.lost {
			line("%s", comment("  "+l.String()))
		}
	}
	line("mesh = %s", quote(plain(cmp.Or(m.options.Mesh, m.services[0].name))))
	line("interval = %s", quote(model.Duration(m.options.Interval).String()))
	for _, s := range m.services {
		line("")
		s.write(line)
	}
	return []byte(b.String())
}

func (s *service) write(line func(string, ...any)) {
	line("# So far it is watched only: to let windvane act, add a [[service.route]] and [service.blocking].")
	line("[[service]]")
	line("name = %s", quote(s.name))
	for _, x := range s.objectives {
		line("")
		line("  %s", comment(x.title))
		line("  [[service.objective]]")
		if x.signal != "" {
			line("  signal = %s", quote(x.signal))
		} else {
			line("  bad = %s", quote(x.bad))
			line("  total = %s", quote(x.total))
		}
		if x.bound != "" {
			line("  bound = %s", quote(x.bound))
		}
		line("  target = %s", number(x.target))
		line("  window = %s", quote(model.Duration(x.window).String()))
	}
	line("")
	line("  [service.signals]")
	if s.offered == "" {
		line("  # The objectives do not say what the offered load is, in requests/s; this is what the shipped recording rules call it.")
		line("  offered = %s", quote(fmt.Sprintf("windvane:offered:rate{service=%q}", s.name)))
	} else {
		line("  offered = %s", quote(s.offered))
	}
	for _, x := range s.signals {
		line("  %s = %s", x.name, quote(x.expr))
	}
}
