package eval

import "github.com/windvane/windvane/plugins/policy"

// Summary is what a run, or a phase of one, was for one service.
type Summary struct {
	Service   string
	Intervals int
	Unknown   int     // intervals that could not be judged: no success, and no failure
	Violated  float64 // sum over the judged intervals of the error of the objective that was broken most
	Counted   int     // intervals that moved the debt
	Actions   int     // times that a knob of the service was changed

	Offered, Carried, Blocked int // requests
}

// ViolatedRatio is the share of the judged intervals that broke the objective.
func (s Summary) ViolatedRatio() float64 { return ratio(s.Violated, s.Intervals-s.Unknown) }

// CarriedRatio is the share of the offered requests that was answered in time.
func (s Summary) CarriedRatio() float64 { return ratio(float64(s.Carried), s.Offered) }

// BlockedRatio is the share of the offered requests that was refused.
func (s Summary) BlockedRatio() float64 { return ratio(float64(s.Blocked), s.Offered) }

func ratio(part float64, of int) float64 {
	if of <= 0 {
		return 0
	}
	return part / float64(of)
}

// Summarise adds up the intervals of a phase, or all of them for an empty name, by
// service in their order. The knobs say which changes are of which service.
func (t *Trace) Summarise(phase string, knobs []policy.Knob) []Summary {
	var out []Summary
	for _, in := range t.Intervals {
		if phase != "" && in.Phase != phase {
			continue
		}
		for i, s := range in.Services {
			if i == len(out) {
				out = append(out, Summary{Service: s.Service})
			}
			out[i].add(in, s, knobs)
		}
	}
	return out
}

func (s *Summary) add(in Interval, of ServiceInterval, knobs []policy.Knob) {
	s.Intervals++
	s.Offered += of.Totals.Offered
	s.Carried += of.Totals.Carried
	s.Blocked += of.Totals.Blocked
	worst, known := 0.0, false
	for _, m := range of.Errors {
		if m.Known {
			known = true
			worst = max(worst, m.Error)
		}
	}
	s.Violated += worst
	if !known {
		s.Unknown++
	} else if in.Counted {
		s.Counted++
	}
	for _, c := range in.Changes {
		if serviceOf(knobs, c.KnobID) == of.Service {
			s.Actions++
			break
		}
	}
}

func serviceOf(knobs []policy.Knob, id policy.KnobID) string {
	for _, k := range knobs {
		if k.KnobID == id {
			return k.Service
		}
	}
	return ""
}
