package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role says what a signal means to a policy.
type Role string

// The roles of signals.
const (
	RoleOffered Role = "offered" // arrivals, requests/s
	RoleCarried Role = "carried" // admitted and answered, requests/s
	RoleLatency Role = "latency" // a latency quantile of admitted requests, seconds
	RoleRatio   Role = "ratio"   // bad requests over all, 0 to 1
	RoleContext Role = "context" // anything else; never used for control
)

// Status says whether a signal's value may be used. The zero value is Absent, so
// that a signal that nobody filled in is never taken for a measurement of zero.
type Status uint8

// The statuses of a signal.
const (
	Absent  Status = iota // no series answered
	Stale                 // the newest sample is too old, or no newer than the last cycle's
	Invalid               // NaN, infinite, several series, or a partial answer
	Valid
)

var statusNames = [...]string{"absent", "stale", "invalid", "valid"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// MarshalText writes the status's name.
func (s Status) MarshalText() ([]byte, error) {
	if int(s) >= len(statusNames) {
		return nil, fmt.Errorf("policy: no status %d", uint8(s))
	}
	return []byte(statusNames[s]), nil
}

// UnmarshalText reads a status's name.
func (s *Status) UnmarshalText(b []byte) error {
	i := slices.Index(statusNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("policy: no status %q", b)
	}
	*s = Status(i)
	return nil
}

// Signal is one measurement of one service at one instant. Value is meaningless
// unless Status is Valid: read it through Get.
type Signal struct {
	Name    string    `json:"name"`
	Service string    `json:"service"`
	Role    Role      `json:"role"`
	Value   float64   `json:"value"` // in the base unit of the role
	At      time.Time `json:"at"`    // time of the newest sample behind the value
	Status  Status    `json:"status"`
}

// Get returns the value, and whether it may be used.
func (s Signal) Get() (float64, bool) {
	if s.Status != Valid {
		return 0, false
	}
	return s.Value, true
}

// State is all signals of a mesh at one instant, sorted by service, then name.
type State []Signal

// Sort puts the state into its order.
func (s State) Sort() {
	slices.SortFunc(s, func(a, b Signal) int {
		if c := strings.Compare(a.Service, b.Service); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// Find returns a service's signal of the given name; an absent one if there is none.
func (s State) Find(service, name string) Signal {
	for i := s.first(service); i < len(s) && s[i].Service == service; i++ {
		if s[i].Name == name {
			return s[i]
		}
	}
	return Signal{Name: name, Service: service}
}

// Role returns a service's first signal of the given role; an absent one if there is none.
func (s State) Role(service string, role Role) Signal {
	for i := s.first(service); i < len(s) && s[i].Service == service; i++ {
		if s[i].Role == role {
			return s[i]
		}
	}
	return Signal{Service: service, Role: role}
}

// first is where a service's signals begin.
func (s State) first(service string) int {
	i, _ := slices.BinarySearchFunc(s, service, func(x Signal, service string) int { return strings.Compare(x.Service, service) })
	return i
}
