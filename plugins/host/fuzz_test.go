package host

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/rules/guard"
)

// Whatever bytes a plugin answers with, they are refused, or are a decision that the guard
// keeps within its limits: every setting within its knob's range.
func FuzzAnswer(f *testing.F) {
	o := observation()
	for _, mode := range []string{"plain", "nan", "misfit", "abstains"} {
		d, err := (&fakePolicy{mode: mode}).Decide(context.Background(), o)
		if err != nil {
			f.Fatal(err)
		}
		wire, err := proto.Marshal(policyv1.FromDecision(d))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
		f.Add(wire[:len(wire)/2])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var answer policyv1.Decision
		if proto.Unmarshal(wire, &answer) != nil {
			return
		}
		d, err := policyv1.ToDecision(&answer)
		if err != nil || Check(o, d) != nil || d.Abstain {
			return
		}
		if checked := guard.Check(o, d.Action); checked.Refused == "" {
			if err := checked.Action.Validate(o.Knobs); err != nil {
				t.Errorf("%v became %v: %v", d.Action, checked.Action, err)
			}
		}
	})
}
