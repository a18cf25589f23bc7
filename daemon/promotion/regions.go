package promotion

import (
	"cmp"
	"math"
	"slices"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Regions are the sim-to-real gap of the policy that decides: what its model predicts, as it was
// trained, against what is measured, by service and region of the settings. The zero value is
// that of no interval.
type Regions struct {
	regions []*Region
	before  map[string]policy.Prediction // what was said of the interval under way, by objective
	live    policy.Action                // that is to be in force in it
}

// Region is one service's. Shed: some of it is blocked; skewed: a destination has more than one
// and a half times its even share.
type Region struct {
	Service string
	Signal  string
	Name    string // open_even, open_skewed, shed_even or shed_skewed

	Ratios   Ratios  // measured/predicted signal
	Nominal  float64 // sum of the loads that the settings admit, requests/s
	Carried  float64 // sum of those that were measured
	Said     int     // intervals of which a chance to break the objective was said
	Risk     float64 // sum of those chances
	Violated float64 // sum of the errors that were measured in them
}

// CarriedGap is carried/admitted - 1; NaN: not known.
func (r *Region) CarriedGap() float64 {
	if !(r.Nominal > 0) {
		return math.NaN()
	}
	return r.Carried/r.Nominal - 1
}

// ViolatedGap is the share of intervals that were violated less what was said; NaN: not known.
func (r *Region) ViolatedGap() float64 {
	if r.Said == 0 {
		return math.NaN()
	}
	return (r.Violated - r.Risk) / float64(r.Said)
}

// All are those that there are, by service, signal and name.
func (r *Regions) All() []*Region {
	slices.SortFunc(r.regions, func(a, b *Region) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.Name, b.Name))
	})
	return r.regions
}

// Add takes up what the journal has of a cycle: its intent, and the outcome that it tells of the
// cycle before; nil: none.
func (r *Regions) Add(i *journal.Intent, outcome *journal.Outcome) {
	if d := i.Decision; i.Steady && d != nil && i.PolicyRole == journal.RoleActive {
		for _, p := range d.ExpectedLive {
			if p.Supported {
				r.predicted(i, p)
			}
		}
	}
	if outcome != nil && i.Steady && r.live != nil && i.Live.Equal(r.live, policy.Rounding) {
		for _, m := range outcome.Errors {
			if p, ok := r.before[m.Service+"/"+m.Signal]; ok && m.Known {
				at := r.at(i, m.Service, m.Signal)
				at.Said++
				at.Risk += math.Min(1, p.Risk)
				at.Violated += m.Error
			}
		}
	}
	r.live, r.before = nil, nil
	if d := i.Decision; d != nil && i.PolicyRole == journal.RoleActive && !d.Abstain && d.Action.Equal(i.Guarded, policy.Rounding) {
		r.live, r.before = i.Guarded, map[string]policy.Prediction{}
		for _, p := range d.Expected {
			if p.Supported && p.Risk > 0 {
				r.before[p.Service+"/"+p.Signal] = p
			}
		}
	}
}

func (r *Regions) predicted(i *journal.Intent, p policy.Prediction) {
	v, ok := i.State.Find(p.Service, p.Signal).Get()
	x := logRatio(v, p.Value)
	if !ok || math.IsNaN(x) {
		return
	}
	at := r.at(i, p.Service, p.Signal)
	at.Ratios.Add(x)
	offered, known := guard.Offered(policy.Observation{State: i.State}, p.Service)
	carried, measured := i.State.Role(p.Service, policy.RoleCarried).Get()
	if known && measured {
		blocked, _ := i.Live.Get(policy.KnobID{Kind: policy.Blocking, Target: p.Service})
		at.Nominal += offered * (1 - blocked)
		at.Carried += carried
	}
}

// at is the region that the settings in force lie in.
func (r *Regions) at(i *journal.Intent, service, signal string) *Region {
	name := "open"
	if v, ok := i.Live.Get(policy.KnobID{Kind: policy.Blocking, Target: service}); ok && v > samePlan {
		name = "shed"
	}
	name += "_" + routing(i, service)
	for _, x := range r.regions {
		if x.Service == service && x.Signal == signal && x.Name == name {
			return x
		}
	}
	r.regions = append(r.regions, &Region{Service: service, Signal: signal, Name: name})
	return r.regions[len(r.regions)-1]
}

func routing(i *journal.Intent, service string) string {
	for n := 0; n < len(i.Knobs) && n < len(i.Live); {
		k, end := i.Knobs[n], n+1
		for end < len(i.Knobs) && k.Kind == policy.Weight && i.Knobs[end].Kind == policy.Weight && i.Knobs[end].Target == k.Target {
			end++
		}
		for m := n; m < min(end, len(i.Live)); m++ {
			if k.Kind == policy.Weight && k.Service == service && i.Live[m].Value > math.Min(.95, 1.5/float64(end-n)) {
				return "skewed"
			}
		}
		n = end
	}
	return "even"
}
