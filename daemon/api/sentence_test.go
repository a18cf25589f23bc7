package api

import (
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

func TestSay(t *testing.T) {
	blocking := policy.Change{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, From: .1, To: .25}
	plan := []policy.Change{
		blocking,
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/a", Part: "v1"}, From: .5, To: .75},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/a", Part: "v2"}, From: .5, To: .25},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/b", Part: "v1"}, From: .5, To: 1},
		{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/node"}, From: 1, To: 2},
	}
	waits := AuthorityState{Pending: &Plan{ID: "1a2b", Changes: plan[:1]}}
	approved := AuthorityState{Pending: &Plan{ID: "1a2b", Changes: plan[:1], Approved: "ann"}}
	for want, m := range map[string]Mesh{
		"There was no cycle yet.": {},
		"Policy planner sets blocking of a from 10 % to 25 %, weights of default/front/a (v1 from 50 % to 75 %, v2 from 50 % to 25 %), " +
			"weights of default/front/b (v1 from 50 % to 100 %), 1 more: worth it.": {Policy: "planner", Plan: plan, Applied: true, Reason: "worth it."},
		"Policy planner would set replicas of default/node from 1 to 2, which authority observe does not allow.": {Policy: "planner", Plan: plan[4:], Authority: "observe"},
		"Plan 1a2b waits for a person to approve blocking of a from 10 % to 25 %: too slow.":                     {AuthorityState: waits, Reason: "too slow"},
		"Plan 1a2b, approved by ann, is applied by the next cycle that admits it.":                               {AuthorityState: approved},
		"Held: the policy has no opinion.":                                            {Hold: "abstained (for now)", Reason: "nothing to say"},
		"Policy simple changes nothing; the active policy did not decide: it died.":   {Policy: "simple", FallbackReason: "it died"},
		"Policy simple changes nothing; only raising blocking is admitted: cooldown.": {Policy: "simple", Frozen: "cooldown"},
	} {
		if want != "There was no cycle yet." {
			m.At = &at
		}
		if got := m.Say(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
