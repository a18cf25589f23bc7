package authority

import (
	"strings"
	"testing"
)

// What lowers is in force although it cannot be written, also where nothing was said before:
// the ceiling, which alone holds then, may be act.
func TestLoweringTheCeilingWorksWithoutADisk(t *testing.T) {
	s := Open("/proc/self/nowhere/state") // nothing is there to be read, and nothing can be
	if got := allows(s, "shop"); got != act {
		t.Fatalf("%s, want act", got)
	}
	err := s.Set("shop", approve, "alice", noon)
	if err == nil || !strings.Contains(err.Error(), "mesh shop is at approve all the same") {
		t.Errorf("error %v", err)
	}
	if err := s.Set("shop", act, "alice", noon); err == nil || !strings.Contains(err.Error(), "nothing was raised") {
		t.Errorf("raised: %v", err)
	}
	if got := allows(s, "shop"); got != approve {
		t.Errorf("%s, want approve", got)
	}
}
