package loop

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/rules"
)

// A reload that lowers a bound below what is in force holds the mesh, says why, and lowers
// nothing; the policies are not blamed for it.
func TestABoundThatIsLoweredBelowWhatIsInForce(t *testing.T) {
	f := newFake()
	f.live, f.want = action(.8, .5), action(.1, .5)
	f.abstain = true
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 2)
	m, err := rules.Parse("shop.toml", []byte(strings.NewReplacer("AUTHORITY", "act", "maximum = 0.8", "maximum = 0.5").Replace(meshText)))
	if err != nil {
		t.Fatal(err)
	}
	f.abstain = false
	l = newLoop(t, f, "act", func(o *Options) { o.Mesh, o.Resume = m, l.Resume() })
	r := cycles(l, 3, 2)
	if r.Intent.Hold != HoldOutOfBounds || r.Intent.Act || r.Intent.FallbackReason != "" || !f.live.Equal(action(.8, .5), 0) {
		t.Errorf("hold %q, act %v, fallback %q, live %v", r.Intent.Hold, r.Intent.Act, r.Intent.FallbackReason, f.live)
	}
	if r.Err == nil || !strings.Contains(r.Err.Error(), "blocking:a = 0.8 is outside [0, 0.5]; set") {
		t.Errorf("error %v", r.Err)
	}
	f.live = action(.5, .5) // a person sets it so, as the message says
	if r = cycles(l, 5, 1); r.Intent.Hold != "" || !r.Intent.Act {
		t.Errorf("within the bounds: hold %q, act %v", r.Intent.Hold, r.Intent.Act)
	}
}
