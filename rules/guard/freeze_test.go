package guard

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func clock(hours, minutes int) time.Duration {
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
}

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var everyDay = [7]bool{true, true, true, true, true, true, true}

func TestFreezeWindows(t *testing.T) {
	stockholm := zoneOf(t, "Europe/Stockholm")
	var saturday [7]bool
	saturday[time.Saturday] = true
	nights := FreezeWindow{Zone: stockholm, Days: saturday, From: clock(22, 0), To: clock(6, 0)}
	days := FreezeWindow{Zone: stockholm, Days: saturday, From: clock(9, 0), To: clock(17, 30)}
	whole := FreezeWindow{Zone: stockholm, Days: saturday, To: clock(24, 0)}
	bounded := FreezeWindow{Start: noon, End: noon.Add(time.Hour)}
	both := nights
	both.Start, both.End = noon, noon.AddDate(0, 0, 14)
	for _, c := range []struct {
		name   string
		window FreezeWindow
		at     string
		want   bool
	}{
		{"a Saturday evening", nights, "2026-01-10T22:00:00+01:00", true},
		{"just before", nights, "2026-01-10T21:59:59.999+01:00", false},
		{"the morning after", nights, "2026-01-11T05:59:59+01:00", true},
		{"its end", nights, "2026-01-11T06:00:00+01:00", false},
		{"the morning before, of no Friday", nights, "2026-01-10T03:00:00+01:00", false},
		{"a Sunday evening", nights, "2026-01-11T23:00:00+01:00", false},
		{"in another zone", nights, "2026-01-10T14:00:00-07:00", true}, // 22:00 in Stockholm
		{"by day", days, "2026-01-10T17:29:59+01:00", true},
		{"after the day", days, "2026-01-10T17:30:00+01:00", false},
		{"the first instant of a whole day", whole, "2026-01-10T00:00:00+01:00", true},
		{"the last of it", whole, "2026-01-10T23:59:59.999999999+01:00", true},
		{"the day after", whole, "2026-01-11T00:00:00+01:00", false},
		{"before the start", bounded, "2026-01-07T11:59:59Z", false},
		{"the start", bounded, "2026-01-07T12:00:00Z", true},
		{"the end", bounded, "2026-01-07T13:00:00Z", false},
		{"a night within the bounds", both, "2026-01-17T23:00:00+01:00", true},
		{"a night after them", both, "2026-01-24T23:00:00+01:00", false},
		{"a day within them", both, "2026-01-17T12:00:00+01:00", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.window.Contains(at); got != c.want {
			t.Errorf("%s: %s in %s: %v, want %v", c.name, c.at, c.window, got, c.want)
		}
	}
}

// frozenMinutes counts the minutes of a day of the clock on the wall that a window has,
// and returns the first and the last instant.
func frozenMinutes(w FreezeWindow, from time.Time, length time.Duration) (n int, first, last time.Time) {
	for at := from; at.Before(from.Add(length)); at = at.Add(time.Minute) {
		if w.Contains(at) {
			if n++; n == 1 {
				first = at
			}
			last = at
		}
	}
	return n, first, last
}

// On the day when the clock is put forward, an hour is skipped: a night is an hour
// shorter, what begins within the skipped hour begins with the next, and what lies in it
// does not come. When it is put back, an hour comes twice, and so does what lies in it.
func TestFreezeWindowsFollowTheClockOnTheWall(t *testing.T) {
	stockholm := zoneOf(t, "Europe/Stockholm")
	spring := time.Date(2026, 3, 28, 12, 0, 0, 0, stockholm)  // to noon of the 29th; 02:00 becomes 03:00
	autumn := time.Date(2026, 10, 24, 12, 0, 0, 0, stockholm) // to noon of the 25th; 03:00 becomes 02:00
	winter := time.Date(2026, 1, 10, 12, 0, 0, 0, stockholm)
	for _, c := range []struct {
		name     string
		from, to time.Duration
		day      time.Time
		minutes  int
		first    string // of the window, UTC
		last     string // its last minute
	}{
		{"a night", clock(22, 0), clock(6, 0), winter, 480, "21:00", "04:59"},
		{"a night in spring", clock(22, 0), clock(6, 0), spring, 420, "21:00", "03:59"},
		{"a night in autumn", clock(22, 0), clock(6, 0), autumn, 540, "20:00", "04:59"},
		{"from the skipped hour", clock(2, 30), clock(3, 30), spring, 30, "01:00", "01:29"},
		{"to the skipped hour", clock(1, 30), clock(2, 30), spring, 30, "00:30", "00:59"},
		{"within the skipped hour", clock(2, 15), clock(2, 45), spring, 0, "", ""},
		{"within the hour that comes twice", clock(2, 15), clock(2, 45), autumn, 60, "00:15", "01:44"},
		{"from the hour that comes twice", clock(2, 30), clock(4, 0), autumn, 120, "00:30", "02:59"},
	} {
		w := FreezeWindow{Name: c.name, Zone: stockholm, Days: everyDay, From: c.from, To: c.to}
		n, first, last := frozenMinutes(w, c.day, 24*time.Hour)
		if n != c.minutes || n > 0 && (first.UTC().Format("15:04") != c.first || last.UTC().Format("15:04") != c.last) {
			t.Errorf("%s: %d minutes from %s to %s, want %d from %s to %s", w, n, first.UTC(), last.UTC(), c.minutes, c.first, c.last)
		}
	}
}
