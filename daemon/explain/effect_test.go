package explain

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// changed is a cycle that raised blocking, with its outcome.
func changed() *Explanation {
	i := intent(7)
	i.Edits, i.Decision.ExpectedLive = nil, []policy.Prediction{{Service: "a", Signal: "latency", Value: .13, Supported: true}}
	return &Explanation{Mesh: "shop", At: at, Intent: i, Outcome: &journal.Outcome{
		Cycle: 7, Result: journal.ResultConverged,
		State: policy.State{signal("latency", policy.RoleLatency, .09), signal("offered", policy.RoleOffered, 21)},
	}}
}

func effectText(e *Explanation) string {
	e.Effects = e.effects()
	var b strings.Builder
	if err := e.WriteText(&b); err != nil {
		return err.Error()
	}
	_, text, _ := strings.Cut(b.String(), "\nwhat the change did\n")
	return text
}

func TestWhatAChangeDid(t *testing.T) {
	for _, c := range []struct {
		what string
		make func(e *Explanation)
		want string
	}{
		{"nothing else moved", func(*Explanation) {}, "latency of a: 120 ms before, 90 ms after; predicted were 80 ms, and without it 130 ms"},
		{"no prediction for the settings before", func(e *Explanation) { e.Intent.Decision.ExpectedLive = nil }, "predicted were 80 ms\n"},
		{"outside the model's data", func(e *Explanation) { e.Intent.Decision.Expected[0].Supported = false }, "90 ms after; nothing was predicted of it"},
		{"the guard changed it", func(e *Explanation) { e.Intent.Edits = []journal.Edit{{Reason: "step"}} }, "nothing was predicted of it"},
		{"somebody else's plan", func(e *Explanation) { e.Intent.Approval = &journal.Approval{ID: "1"} }, "nothing was predicted of it"},
		{"several settings", func(e *Explanation) { e.Intent.Plan = append(e.Intent.Plan, e.Intent.Plan...) }, "of the 2 settings together: what each of them did is not identifiable"},
		{"the load moved, too", func(e *Explanation) { e.Outcome.State[1].Value = 22.5 }, "not identifiable: the offered load of a moved, too, from 20 to 22.5 requests/s"},
		{"the load moved to nothing", func(e *Explanation) { e.Outcome.State[1].Value = 0 }, "not identifiable: the offered load of a moved, too"},
		{"the load is not known", func(e *Explanation) { e.Outcome.State[1].Status = policy.Stale }, "not identifiable: the offered load of a is not known"},
		{"the load was not known", func(e *Explanation) { e.Intent.State = e.Intent.State[:1] }, "not identifiable: the offered load of a is not known"},
		{"the signal is absent", func(e *Explanation) { e.Outcome.State = e.Outcome.State[1:] }, "latency of a: not identifiable: after it, the signal was absent"},
		{"the signal was stale", func(e *Explanation) { e.Intent.State[0].Status = policy.Stale }, "latency of a: not identifiable: before it, the signal was stale"},
		{"it failed", func(e *Explanation) { e.Outcome.Result = journal.ResultFailed }, "not identifiable: the settings were not seen in force"},
		{"somebody changed them", func(e *Explanation) { e.Outcome.Result = journal.ResultDrifted }, "not identifiable: the settings were not seen in force"},
		{"requests do not follow", func(e *Explanation) {
			e.Outcome.Verified = &journal.Verified{NotYet: 1, Away: []journal.Away{{Service: "a"}}}
		}, "not identifiable: the requests did not follow the settings yet"},
		{"half an interval", func(e *Explanation) { e.Outcome.Partial = true }, "not identifiable: what was measured behind it is not of a whole interval"},
		{"nothing was applied", func(e *Explanation) { e.Intent.Act = false }, ""},
		{"nothing was to be changed", func(e *Explanation) { e.Intent.Plan = nil }, ""},
		{"nothing is known yet", func(e *Explanation) { e.Outcome = nil }, ""},
	} {
		e := changed()
		c.make(e)
		got := effectText(e)
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
		for _, x := range e.Effects {
			if strings.Contains(c.want, "not identifiable: ") != (x.NotIdentifiable != "") {
				t.Errorf("%s: %+v", c.what, x)
			}
		}
	}
}

func TestWhatAlternativesWouldHaveCost(t *testing.T) {
	e := changed()
	other := policy.Setting{KnobID: block, Value: .5}
	e.Intent.Decision.Action = policy.Action{{KnobID: block, Value: .2}}
	e.Intent.Decision.Alternatives = []policy.Alternative{{Action: policy.Action{other}, Score: 10, Reason: "sheds more"}, {Score: 16, Reason: "the same"}}
	got := e.considered()
	if len(got) != 2 || *got[0].Refused != 10 || *got[0].More != 6 || *got[1].Refused != 4 || *got[1].More != 0 {
		t.Errorf("%+v", got)
	}
	e.Alternatives = got
	var b strings.Builder
	if err := e.WriteText(&b); err != nil || !strings.Contains(b.String(), "considered: score 10, sheds more: blocking:a at 0.5; would refuse 10 requests/s, +6\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
	e.Intent.Decision.Alternatives[0].Action = make(policy.Action, journal.AlternativeSettings)
	if got := e.considered(); got[0].Refused != nil || got[1].Refused == nil {
		t.Errorf("settings that were not kept: %+v", got)
	}
	e.Intent.State[1].Status = policy.Invalid
	if got := e.considered(); got[1].Refused != nil || got[1].More != nil {
		t.Errorf("an unknown load: %+v", got)
	}
}
