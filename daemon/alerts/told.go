package alerts

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/windvane/windvane/daemon/journal"
)

// What is kept of an alert for people: a few labels, each of a bounded length.
const (
	toldLabels = 8
	toldBytes  = 128 // of a name or a value
)

// first are the labels that are told before others.
var first = []string{"severity", "service", "namespace"}

// told is what people and the journal are told of an alert.
func told(a alert) journal.Alert {
	out := journal.Alert{
		Name: cmp.Or(clean(a.labels["alertname"], toldBytes), "unnamed"), Fingerprint: clean(a.fingerprint, toldBytes), StartsAt: a.starts,
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(a.labels)), func(name string) bool { return name == "alertname" || name == LabelMesh })
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) })
	for _, name := range names[:min(len(names), toldLabels)] {
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels[clean(name, toldBytes)] = clean(a.labels[name], toldBytes)
	}
	return out
}

func rank(label string) int {
	if i := slices.Index(first, label); i >= 0 {
		return i
	}
	return len(first)
}

// clean makes text of a stranger's safe to print, and no longer than a number of bytes.
func clean(text string, most int) string {
	if len(text) > most {
		cut := most - len("…")
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
