package journal

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

func TestVerifiedInWords(t *testing.T) {
	v := &Verified{Converged: 2, Failed: 1, Away: []Away{
		{Service: "a", KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}, Low: .2, High: .6, Observed: .9, Requests: 87, Cycles: 3},
		{Service: "a", KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Low: .4, High: 1, Requests: 120, Cycles: 3},
	}}
	want := `verified: of the services, 2 follow their settings, 1 do not
  a: weight:ns/vs/a:v1 is 0.2 to 0.6, but a share of 0.9 was seen, of about 87 requests; so for 3 cycles
  a: blocking:a is at least 0.4, but a share of 0 was seen, of about 120 requests; so for 3 cycles`
	if got := strings.Join(v.Lines(), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := (*Verified)(nil).Lines(); got != nil {
		t.Errorf("nothing was judged: %q", got)
	}
	r := Revert{Services: []string{"a", "b"}, Cycles: 4}
	if got := r.Line(); got != "the last change of a, b was not followed, and is put back to what was in force before; in the next 4 cycles only blocking may be raised" {
		t.Error(got)
	}
	if r.Held = "why"; !strings.Contains(r.Line(), "and is not put back: why; in the next") {
		t.Error(r.Line())
	}
}
