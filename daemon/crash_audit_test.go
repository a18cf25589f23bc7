package daemon_test

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// audit compares the journal with what the API server was told, and with what is live.
func (k *killer) audit(t *testing.T) (acted int, results map[string]int) {
	t.Helper()
	made := map[uint64]map[string]int{}
	for _, w := range k.writes {
		if made[w.seq] == nil {
			made[w.seq] = map[string]int{}
		}
		if made[w.seq][w.object]++; made[w.seq][w.object] > 1 {
			t.Errorf("the intent of record %d wrote twice: %s", w.seq, w.object)
		}
	}
	results = map[string]int{}
	open, needed, last := map[uint64]uint64{}, map[uint64]int{}, journal.Intent{} // by cycle: seq, writes
	var live policy.Action
	for record, err := range journal.Read(k.dir) {
		if err != nil {
			t.Fatal(err)
		}
		switch record.Kind {
		case journal.KindIntent:
			var i journal.Intent
			if err := record.Decode(&i); err != nil {
				t.Fatal(err)
			}
			if i.Cycle <= last.Cycle {
				t.Errorf("cycle %d follows %d", i.Cycle, last.Cycle)
			}
			if len(i.Drift) > 0 {
				t.Errorf("cycle %d takes its own settings for somebody else's: %v", i.Cycle, i.Drift)
			}
			if last, live = i, i.Live; i.Act {
				acted++
				open[i.Cycle], needed[i.Cycle] = record.Seq, objects(i.Plan)
				live = i.Guarded
			}
		case journal.KindOutcome:
			var o journal.Outcome
			if err := record.Decode(&o); err != nil {
				t.Fatal(err)
			}
			seq, ok := open[o.Cycle]
			if !ok {
				continue // of an intent that did not act
			}
			delete(open, o.Cycle)
			results[o.Result]++
			if all := stored(made[seq]) == needed[o.Cycle]; o.Result != journal.ResultUnknown && (o.Result == journal.ResultConverged) != all {
				t.Errorf("cycle %d: %s after the writes %v", o.Cycle, o.Result, made[seq])
			}
			if o.Result == journal.ResultNotApplied && stored(made[seq]) > 0 {
				t.Errorf("cycle %d: %s after the writes %v", o.Cycle, o.Result, made[seq])
			}
		}
	}
	delete(open, last.Cycle) // the next start closes it
	if len(open) > 0 {
		t.Errorf("intents without an outcome: %v", open)
	}
	k.compare(t, live)
	return acted, results
}

// objects counts those that a plan changes: the VirtualService, and the scales.
func objects(plan []policy.Change) int {
	n, routes := 0, 0
	for _, c := range plan {
		if c.Kind == policy.Replicas {
			n++
		} else {
			routes = 1
		}
	}
	return n + routes
}

// stored counts the writes that are settings.
func stored(made map[string]int) int {
	n := 0
	for object := range made {
		if !strings.HasPrefix(object, "PATCH ") || strings.Contains(object, "virtualservices") {
			n++
		}
	}
	return n
}

// compare holds what the objects say against what the journal says.
func (k *killer) compare(t *testing.T, want policy.Action) {
	t.Helper()
	http := k.rig.object()["spec"].(map[string]any)["http"].([]any)
	for _, s := range want {
		var got float64
		switch s.Kind {
		case policy.Weight, policy.Blocking:
			for _, h := range http {
				route := h.(map[string]any)
				if s.Kind == policy.Blocking && route["name"] == s.Target {
					got = route["fault"].(map[string]any)["abort"].(map[string]any)["percentage"].(map[string]any)["value"].(float64) / 100
				}
				for _, d := range route["route"].([]any) {
					d := d.(map[string]any)
					if s.Target == "default/shop/"+route["name"].(string) && d["destination"].(map[string]any)["subset"] == s.Part {
						got = d["weight"].(float64) / 100
					}
				}
			}
		case policy.Replicas:
			_, name, _ := strings.Cut(s.Target, "/")
			scale := k.rig.kubernetes("GET", "/apis/apps/v1/namespaces/default/deployments/"+name+"/scale", "", "")
			got = scale["spec"].(map[string]any)["replicas"].(float64)
		}
		if got < s.Value-policy.Rounding || got > s.Value+policy.Rounding {
			t.Errorf("%s is %v, the journal says %v", s.KnobID, got, s.Value)
		}
	}
}
