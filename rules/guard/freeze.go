package guard

import (
	"fmt"
	"strings"
	"time"
)

// FreezeWindow is a time in which only raising blocking is admitted: all from Start to
// End, or, with a Zone, what of it lies on certain days and between certain hours.
type FreezeWindow struct {
	Name       string
	Start, End time.Time // zero: since ever, for ever

	// By the clock on the wall in Zone, so that the hours of a day follow its changes: one
	// that is skipped has no freeze, one that comes twice has it twice.
	Zone     *time.Location // nil: no days and hours
	Days     [7]bool        // on which it begins, by time.Weekday
	From, To time.Duration  // since midnight; To no later than From: on the next day
}

// Contains reports whether a time lies in the window. It begins with the first instant
// and ends before the last.
func (w FreezeWindow) Contains(at time.Time) bool {
	if at.Before(w.Start) || !w.End.IsZero() && !at.Before(w.End) {
		return false
	}
	if w.Zone == nil {
		return true
	}
	at = at.In(w.Zone)
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	today, yesterday := w.Days[at.Weekday()], w.Days[(at.Weekday()+6)%7]
	if w.From < w.To {
		return today && w.From <= clock && clock < w.To
	}
	return today && w.From <= clock || yesterday && clock < w.To
}

// String names the window and says when it is.
func (w FreezeWindow) String() string {
	var parts []string
	if w.Zone != nil {
		parts = append(parts, w.days(), fmt.Sprintf("%s to %s in %s", hour(w.From), hour(w.To), w.Zone))
	}
	if !w.Start.IsZero() {
		parts = append(parts, "from "+w.Start.Format(time.RFC3339))
	}
	if !w.End.IsZero() {
		parts = append(parts, "until "+w.End.Format(time.RFC3339))
	}
	return w.Name + ": " + strings.Join(parts, ", ")
}

// days lists the days of the week, Monday first.
func (w FreezeWindow) days() string {
	if w.Days == [7]bool{true, true, true, true, true, true, true} {
		return "every day"
	}
	var out []string
	for i := range w.Days {
		if day := time.Weekday((i + 1) % 7); w.Days[day] {
			out = append(out, strings.ToLower(day.String()))
		}
	}
	return strings.Join(out, " ")
}

func hour(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
}
