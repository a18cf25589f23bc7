package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no time zones of its own

	"github.com/windvane/windvane/rules/guard"
)

// dayNames are the days of the week as a rules file writes them.
var dayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// readFreeze reads a [[guard.freeze]]: days and hours of the week, a time from start to
// end, or of the one what lies in the other.
func readFreeze(t *Table) guard.FreezeWindow {
	t.Require("name")
	w := guard.FreezeWindow{Name: nameOf(t, "name"), Start: instant(t, "start"), End: instant(t, "end")}
	if !w.Start.IsZero() && !w.End.IsZero() && !w.End.After(w.Start) {
		t.Invalid("end", "is not after start", "")
	}
	weekly := []bool{t.Has("days"), t.Has("from"), t.Has("to")} // all of them, so that each is a known key
	if !slices.Contains(weekly, true) {
		if t.Has("time_zone") {
			t.Invalid("time_zone", "says nothing without days, from or to", "start and end have offsets of their own")
		}
		if !t.Has("start") && !t.Has("end") {
			t.Invalid("", "has no time", "write days, from, to and time_zone, or start and end")
		}
		return w
	}
	w.Days, w.Zone = days(t), zone(t)
	w.From, w.To = wallClock(t, "from", 0), wallClock(t, "to", 24*time.Hour)
	if w.From == 24*time.Hour {
		t.Invalid("from", "24:00 is the end of the day", `"00:00" of the day after is the same`)
		return w
	}
	if w.From == w.To {
		t.Invalid("to", "is the same as from", "for whole days, leave both out")
	}
	return w
}

// instant reads a time with its offset from UTC, as a date of TOML or a string; zero
// where there is none.
func instant(t *Table, key string) time.Time {
	t.ask(key).Want = "a time"
	if !t.Has(key) {
		return time.Time{}
	}
	const hint = "as in 2026-12-24T18:00:00+01:00"
	switch v := t.values[key].(type) {
	case time.Time:
		if strings.HasSuffix(v.Location().String(), "-local") { // as the TOML library marks those without one
			t.Invalid(key, "has no offset from UTC", hint)
			return time.Time{}
		}
		return v
	case string:
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			t.Invalid(key, fmt.Sprintf("%q is no time as in RFC 3339", v), hint)
		}
		return at
	default:
		t.Invalid(key, "is "+kind(v)+", want a time", hint)
		return time.Time{}
	}
}

// days reads days of the week; all of them where there is no such key.
func days(t *Table) (out [7]bool) {
	if !t.Has("days") {
		return [7]bool{true, true, true, true, true, true, true}
	}
	names := t.Texts("days")
	if items, ok := t.values["days"].([]any); ok && len(items) == 0 {
		t.Invalid("days", "is empty", "for every day, leave it out")
	}
	for _, name := range names {
		at := slices.Index(dayNames, name)
		if at < 0 {
			t.Invalid("days", fmt.Sprintf("%q is not a day", name), Suggest(name, dayNames))
			continue
		}
		out[at] = true
	}
	return out
}

func zone(t *Table) *time.Location {
	if !t.Require("time_zone") {
		return time.UTC
	}
	name := t.Text("time_zone", "")
	z, err := time.LoadLocation(name)
	if t.IsText("time_zone") && (err != nil || name == "" || name == "Local") {
		t.Invalid("time_zone", fmt.Sprintf("%q is not the name of a time zone", name), `as in "UTC" or "Europe/Stockholm"`)
	}
	if z == nil {
		return time.UTC
	}
	return z
}

var hourMinute = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

// wallClock reads a time of the day.
func wallClock(t *Table, key string, fallback time.Duration) time.Duration {
	v := t.Text(key, "")
	switch {
	case !t.IsText(key):
		return fallback
	case v == "24:00":
		return 24 * time.Hour
	case !hourMinute.MatchString(v):
		t.Invalid(key, fmt.Sprintf("%q is not a time of the day", v), `from "00:00" to "24:00", as in "18:30"`)
		return fallback
	}
	h, m, _ := strings.Cut(v, ":")
	hours, _ := strconv.Atoi(h) // the pattern has digits only
	minutes, _ := strconv.Atoi(m)
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
}
