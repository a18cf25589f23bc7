package alerts

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

// Capacity is how many alerts are remembered.
const Capacity = 1000

// Listed is how many alerts of a mesh are told at a time, the newest ones.
const Listed = 10

// store is the alerts that fire, and for a while those that did, so that a late message
// does not bring one back. It holds at most Capacity of them, of bounded size.
type store struct {
	mu      sync.Mutex
	entries map[string]entry // by fingerprint
	left    map[string]left  // by mesh: what Alertmanager left out of its messages
	swept   time.Time
}

// entry is the newest episode of an alert.
type entry struct {
	alert   journal.Alert
	meshes  []string
	ended   time.Time // zero: it fires
	expires time.Time
}

type left struct {
	alerts  uint64
	expires time.Time
}

func newStore() *store { return &store{entries: map[string]entry{}, left: map[string]left{}} }

// counts are the alerts of a message by what they said.
type counts struct {
	firing    int // anew
	repeated  int // known to fire
	resolved  int
	outdated  int // of an episode that is over
	unmatched int // of no mesh
}

// keep takes a message up. Without room for every alert that it says fires it keeps none
// of these and returns false; what is resolved is taken up in any case. woken are the meshes
// for which an alert fires anew, sorted.
func (s *store) keep(m message, now time.Time, expiry time.Duration) (c counts, woken []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now, false)
	for _, a := range m.alerts {
		s.leave(a.meshes, m.truncated, now.Add(expiry))
		switch {
		case len(a.meshes) == 0:
			c.unmatched++
		case a.resolved:
			s.resolve(a, now, expiry, &c)
		}
	}
	fires := func(a alert) bool { return len(a.meshes) > 0 && !a.resolved }
	anew := map[string]bool{}
	for _, a := range m.alerts {
		if fires(a) && s.judge(a, now) == firesAnew {
			anew[a.fingerprint] = true
		}
	}
	if !s.room(now, anew) {
		return c, nil, false
	}
	for _, a := range m.alerts {
		if !fires(a) {
			continue
		}
		switch s.judge(a, now) {
		case isOver:
			c.outdated++
		case firesStill:
			c.repeated++
			e := s.entries[a.fingerprint]
			e.meshes, e.expires = a.meshes, until(a, now, expiry)
			s.entries[a.fingerprint] = e
		case firesAnew:
			c.firing++
			woken = append(woken, a.meshes...)
			s.entries[a.fingerprint] = entry{alert: told(a), meshes: a.meshes, expires: until(a, now, expiry)}
		}
	}
	slices.Sort(woken)
	return c, slices.Compact(woken), true
}

// judgement is what an alert that is said to fire is, beside what is known of it.
type judgement int

const (
	firesAnew judgement = iota
	firesStill
	isOver
)

func (s *store) judge(a alert, now time.Time) judgement {
	e, known := s.find(a.fingerprint, now)
	switch {
	case !a.ends.IsZero() && !a.ends.After(now), known && !e.ended.IsZero() && !a.starts.After(e.ended):
		return isOver
	case known && e.ended.IsZero() && !a.starts.After(e.alert.StartsAt):
		return firesStill
	}
	return firesAnew
}

// until is when an alert that fires is taken to be over if nobody says so.
func until(a alert, now time.Time, expiry time.Duration) time.Time {
	expires := now.Add(expiry)
	if !a.ends.IsZero() && a.ends.Before(expires) {
		return a.ends
	}
	return expires
}

// resolve ends the episode that a message says is over: the one that began before its end.
func (s *store) resolve(a alert, now time.Time, expiry time.Duration, c *counts) {
	ended := a.ends
	if ended.Before(a.starts) {
		ended = a.starts
	}
	e, known := s.find(a.fingerprint, now)
	switch {
	case known && e.ended.IsZero() && e.alert.StartsAt.After(ended), known && !e.ended.IsZero() && !ended.After(e.ended):
		c.outdated++
		return
	case !known && !s.room(now, map[string]bool{a.fingerprint: true}):
		c.resolved++ // it does not fire, and there is no room to remember since when
		return
	}
	c.resolved++
	s.entries[a.fingerprint] = entry{meshes: a.meshes, ended: ended, expires: now.Add(expiry)}
}

// find returns what is known of an alert.
func (s *store) find(fingerprint string, now time.Time) (entry, bool) {
	e, ok := s.entries[fingerprint]
	return e, ok && now.Before(e.expires)
}

// room makes room for alerts that are to be remembered, by their fingerprints: first what
// has expired goes, then what is over, the oldest first.
func (s *store) room(now time.Time, anew map[string]bool) bool {
	missing := func() int {
		n := len(s.entries) - Capacity
		for f := range anew {
			if _, there := s.entries[f]; !there {
				n++
			}
		}
		return n
	}
	if missing() <= 0 {
		return true
	}
	s.sweep(now, true)
	var over []string
	for f, e := range s.entries {
		if !e.ended.IsZero() && !anew[f] {
			over = append(over, f)
		}
	}
	n := missing()
	if n > len(over) {
		return false
	}
	slices.SortFunc(over, func(a, b string) int {
		return cmp.Or(s.entries[a].expires.Compare(s.entries[b].expires), strings.Compare(a, b))
	})
	for _, f := range over[:max(n, 0)] {
		delete(s.entries, f)
	}
	return true
}

// sweep forgets what has expired, every second or when asked to.
func (s *store) sweep(now time.Time, always bool) {
	if since := now.Sub(s.swept); !always && since >= 0 && since < time.Second {
		return
	}
	s.swept = now
	for f, e := range s.entries {
		if !now.Before(e.expires) {
			delete(s.entries, f)
		}
	}
	for mesh, l := range s.left {
		if !now.Before(l.expires) {
			delete(s.left, mesh)
		}
	}
}

// leave notes that a message was not complete.
func (s *store) leave(meshes []string, alerts uint64, expires time.Time) {
	if alerts == 0 {
		return
	}
	for _, mesh := range meshes {
		s.left[mesh] = left{alerts, expires}
	}
}

// of returns the alerts that fire for a mesh, the newest Listed of them first, and how
// many more there are, those included that Alertmanager left out of its last message that
// was not complete.
func (s *store) of(mesh string, now time.Time) ([]journal.Alert, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []journal.Alert{}
	for _, e := range s.entries {
		if e.ended.IsZero() && now.Before(e.expires) && slices.Contains(e.meshes, mesh) {
			out = append(out, e.alert)
		}
	}
	slices.SortFunc(out, func(a, b journal.Alert) int {
		return cmp.Or(b.StartsAt.Compare(a.StartsAt), strings.Compare(a.Name, b.Name), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	more := max(0, len(out)-Listed)
	if l := s.left[mesh]; now.Before(l.expires) {
		more += int(l.alerts)
	}
	return out[:min(len(out), Listed)], more
}

// size returns how many alerts are remembered, and how many of them fire.
func (s *store) size(now time.Time) (remembered, firing int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now, true)
	for _, e := range s.entries {
		if e.ended.IsZero() {
			firing++
		}
	}
	return len(s.entries), firing
}
