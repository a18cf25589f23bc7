package lifecycle

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Source says from where settings are known.
type Source string

// The sources, the surest first.
const (
	FromJournal  Source = "journal"
	FromRecorded Source = "recorded" // windvane's own metrics in Prometheus
	FromShares   Source = "shares"   // the split and the blocked share of the requests
)

// Sources are all of them, with what they are to a reader.
var sources = []struct {
	source Source
	text   string
}{
	{FromJournal, "the journal"},
	{FromRecorded, "windvane's metrics in Prometheus"},
	{FromShares, "measured shares of requests"},
}

// Reason is why an interval is left out.
type Reason string

// The reasons.
const (
	Incident    Reason = "incident"
	Alerted     Reason = "alert"
	Settling    Reason = "settling"
	Changed     Reason = "changed"
	NotFollowed Reason = "not_followed"
	Unknown     Reason = "unknown"
	Ambiguous   Reason = "ambiguous"
	OtherKnobs  Reason = "other_knobs"
	Queue       Reason = "queue"
	Unmeasured  Reason = "unmeasured"
)

var sentences = map[Reason]string{
	Incident:    "within a time that was to be left out",
	Alerted:     "one of the given alerts fired",
	Settling:    "the last change was still settling, or a cycle came early",
	Changed:     "the settings were changed within it, or near to it",
	NotFollowed: "the requests did not go as the settings have it",
	Unknown:     "the settings are not known",
	Ambiguous:   "the measured shares do not tell the settings: too few requests, a change, or no level of the knob",
	OtherKnobs:  "the settings were of other knobs than those of the rules file",
	Queue:       "it began with the queue of other settings, or of more load",
	Unmeasured:  "nothing was measured",
}

// Report says what became of the intervals that were looked at.
type Report struct {
	Mesh            string         `json:"mesh"`
	IntervalSeconds float64        `json:"interval_seconds"`
	From            time.Time      `json:"from,omitzero"` // end of the first interval
	To              time.Time      `json:"to,omitzero"`   // and of the last
	Intervals       int            `json:"intervals"`
	Rows            int            `json:"rows"`     // of the dataset
	Settings        map[Source]int `json:"settings"` // rows by where their settings are known from; where from several, the least sure one
	LeftOut         []LeftOut      `json:"left_out"` // the most frequent reason first
	Warnings        []Warning      `json:"warnings"` // of Prometheus; what they are of is not believed, and absent

	leftOut map[Reason]int
}

// LeftOut counts the intervals that were left out for a reason.
type LeftOut struct {
	Reason    Reason `json:"reason"`
	Text      string `json:"text"`
	Intervals int    `json:"intervals"`
}

// Warning is what Prometheus warned of.
type Warning struct {
	Text      string `json:"text"`
	Intervals int    `json:"intervals"`
}

func (r *Report) count(at time.Time) {
	if r.Intervals == 0 {
		r.From = at
	}
	r.Intervals++
	r.To = at
}

// mostWarnings bounds the list: the text of a warning may differ each time.
const mostWarnings = 10

// warn counts a warning for an interval.
func (r *Report) warn(text string) {
	i := slices.IndexFunc(r.Warnings, func(w Warning) bool { return w.Text == text })
	if i < 0 && len(r.Warnings) == mostWarnings {
		i, r.Warnings[mostWarnings-1].Text = mostWarnings-1, "others"
	}
	if i < 0 {
		i = len(r.Warnings)
		r.Warnings = append(r.Warnings, Warning{Text: text})
	}
	r.Warnings[i].Intervals++
}

func (r *Report) finish() {
	r.LeftOut = []LeftOut{}
	for reason, n := range r.leftOut {
		r.LeftOut = append(r.LeftOut, LeftOut{reason, sentences[reason], n})
	}
	slices.SortFunc(r.LeftOut, func(a, b LeftOut) int {
		return cmp.Or(cmp.Compare(b.Intervals, a.Intervals), cmp.Compare(a.Reason, b.Reason))
	})
	if r.Warnings == nil {
		r.Warnings = []Warning{}
	}
}

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := []string{
		"mesh\t" + r.Mesh,
		fmt.Sprintf("intervals\t%d of %v", r.Intervals, time.Duration(r.IntervalSeconds*float64(time.Second))),
	}
	if !r.From.IsZero() {
		lines = append(lines, fmt.Sprintf("span\t%s to %s", r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339)))
	}
	for _, s := range sources {
		if n := r.Settings[s.source]; n > 0 {
			lines = append(lines, fmt.Sprintf("rows with settings from %s\t%d", s.text, n))
		}
	}
	if len(r.LeftOut) > 0 {
		lines = append(lines, "", "left out\tintervals")
	}
	for _, l := range r.LeftOut {
		lines = append(lines, fmt.Sprintf("%s\t%d", l.Text, l.Intervals))
	}
	for _, x := range r.Warnings {
		lines = append(lines, "", fmt.Sprintf("warning: %s (in %d intervals; these values are absent)", x.Text, x.Intervals))
	}
	for _, l := range append(lines, "") {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return fmt.Errorf("report of collect: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("report of collect: %w", err)
	}
	return nil
}
