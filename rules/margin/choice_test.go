package margin

import (
	"reflect"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// An interval counts only if everything is as it should be: each way to be otherwise
// is enough, in every combination with the others.
func TestWhichIntervalsCount(t *testing.T) {
	predicted := []policy.Prediction{{Service: "a", Signal: "latency", Value: .05, Supported: true}}
	spoil := []struct {
		name string
		do   func(*Origin)
	}{
		{"another decided", func(o *Origin) { o.Own = false }},
		{"without authority", func(o *Origin) { o.Act = false }},
		{"no prediction", func(o *Origin) { o.Decision.Expected = nil }},
		{"abstained", func(o *Origin) { o.Decision.Abstain = true }},
		{"held", func(o *Origin) { o.Held = true }},
		{"edited", func(o *Origin) { o.Edits = 1 }},
		{"not in force", func(o *Origin) { o.Converged = false }},
	}
	for mask := range 1 << len(spoil) {
		for _, infeasible := range []bool{false, true} {
			o := Origin{Own: true, Act: true, Converged: true, Decision: &policy.Decision{Expected: predicted, Infeasible: infeasible}}
			var how []string
			for i, s := range spoil {
				if mask>>i&1 == 1 {
					s.do(&o)
					how = append(how, s.name)
				}
			}
			want := Choice{}
			if mask == 0 {
				want = Choice{Counted: true, Flagged: infeasible, Expected: predicted}
			}
			if got := o.Choice(); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, infeasible %v: %+v, want %+v", how, infeasible, got, want)
			}
		}
	}
	if got := (Origin{Own: true, Act: true, Converged: true}).Choice(); !reflect.DeepEqual(got, Choice{}) {
		t.Errorf("without a decision: %+v", got)
	}
}
