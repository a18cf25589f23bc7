package promotion

import (
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
)

// slowestPart of an interval may go by until an answer: what comes later is of a load of another
// time.
const slowestPart = 10

// Shadows are what a cycle of a mesh with an interval of so many seconds says of its shadow
// policies, in the order of Report.Trials.
func Shadows(r *loop.Report, seconds float64) []Interval {
	var out []Interval
	for _, x := range r.Trials {
		in := intervalOf(r, seconds)
		in.Aim, in.Beside = x.Aim, x.Beside
		in.Plan, in.Seconds, in.Covered, in.Judged, in.Said = x.Plan, x.Seconds, x.Covered, x.Judged, x.Said
		out = append(out, in)
	}
	return out
}

// Itself is what it says of the active policy; false: that did not decide.
func Itself(r *loop.Report, seconds float64) (Interval, bool) {
	i := &r.Intent
	if i.PolicyRole != journal.RoleActive || i.Decision == nil {
		return Interval{}, false
	}
	in := intervalOf(r, seconds)
	in.Plan, in.Aim, in.Beside, in.Covered = in.Active, in.Active, in.Active, true
	for _, p := range i.Decision.ExpectedLive {
		if p.Supported {
			in.Judged = append(in.Judged, journal.Judged{Service: p.Service, Signal: p.Signal, Live: p.Value})
		}
	}
	if i.Decision.Action.Equal(i.Guarded, policy.Rounding) {
		in.Said = i.Decision.Expected
	}
	return in, true
}

func intervalOf(r *loop.Report, seconds float64) Interval {
	i := &r.Intent
	in := Interval{
		Observation: policy.Observation{Mesh: r.Mesh, At: r.At, State: i.State, Live: i.Live, Knobs: i.Knobs, Services: i.Services},
		Steady:      r.Steady, Slowest: seconds / slowestPart,
	}
	if r.Outcome != nil && !r.Outcome.Partial {
		in.Measured = r.Outcome.Errors
	}
	decides := i.PolicyRole == journal.RoleActive || i.FallbackReason == loop.FallbackNoActive
	if decides && (i.Hold == "" || i.Hold == loop.HoldAbstained) {
		in.Active = i.Guarded
	}
	return in
}
