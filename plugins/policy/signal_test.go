package policy

import (
	"fmt"
	"testing"
)

func TestSignalsAreFoundByService(t *testing.T) {
	var s State
	for _, service := range []string{"b", "d", "dd"} {
		for i, role := range []Role{RoleCarried, RoleLatency, RoleLatency, RoleOffered} {
			s = append(s, Signal{Name: fmt.Sprint("s", i), Service: service, Role: role, Value: float64(len(s)), Status: Valid})
		}
	}
	s.Sort()
	for i, want := range s {
		if got := s.Find(want.Service, want.Name); got != want {
			t.Errorf("signal %d: found %+v, want %+v", i, got, want)
		}
	}
	for service, first := range map[string]float64{"b": 1, "d": 5, "dd": 9} {
		if got, ok := s.Role(service, RoleLatency).Get(); !ok || got != first {
			t.Errorf("%s: %v, want the first latency, %v", service, got, first)
		}
	}
	for _, service := range []string{"", "a", "c", "ddd"} {
		if got := s.Find(service, "s1"); got != (Signal{Name: "s1", Service: service}) {
			t.Errorf("%q: found %+v", service, got)
		}
		if got := s.Role(service, RoleOffered); got != (Signal{Service: service, Role: RoleOffered}) {
			t.Errorf("%q: found %+v", service, got)
		}
	}
	if got := State(nil).Find("a", "x"); got.Status != Absent {
		t.Errorf("in nothing: %+v", got)
	}
}
