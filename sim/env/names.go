package env

import (
	"fmt"

	"github.com/windvane/windvane/plugins/policy"
)

// FeatureNames says what each number of an observation is, in words for a person.
// Services are those of the back end, in its order.
func (e *Env) FeatureNames(services []string) []string {
	out := make([]string, 0, e.size)
	for _, s := range services {
		out = append(out, "offered load of "+s)
	}
	for stage := range e.stages {
		ago := "commanded in the last interval"
		if n := e.stages - stage; n > 1 {
			ago = fmt.Sprintf("commanded %d intervals ago", n)
		}
		for i, axis := range e.space.axes {
			for _, k := range e.space.knobs[axis.First:][:e.shown.width[i]] {
				out = append(out, knobName(k)+", "+ago)
			}
		}
	}
	return out
}

func knobName(k policy.Knob) string {
	if k.Part != "" {
		return fmt.Sprintf("%s of %s, %s", k.Kind, k.Target, k.Part)
	}
	return fmt.Sprintf("%s of %s", k.Kind, k.Target)
}
