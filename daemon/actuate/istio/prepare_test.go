package istio

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

const frontObject = "VirtualService default/front"

// Prepare tries what Apply would send, stores nothing, and returns the baseline that
// Apply then leaves in the annotation.
func TestPrepare(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	before := c.objects["default/front"]
	a := actuator(t, c)
	known, err := a.Prepare(t.Context(), nil, set(information, .3, .2), nil)
	if err != nil || string(known[frontObject]) != baseline || c.dryRuns != 1 || len(c.patches) > 0 || c.objects["default/front"] != before {
		t.Fatalf("baseline %s, %v; %d dry runs, patches %v", known[frontObject], err, c.dryRuns, c.patches)
	}
	if err := a.Apply(t.Context(), nil, set(information, .3, .2), known); err != nil {
		t.Fatal(err)
	}
	again, err := a.Prepare(t.Context(), nil, set(information, .4, .2), known)
	if err != nil || string(again[frontObject]) != baseline {
		t.Errorf("baseline after a write: %s, %v", again[frontObject], err)
	}
	// From the annotation alone.
	if again, err = a.Prepare(t.Context(), nil, set(information, .4, .2), nil); err != nil || string(again[frontObject]) != baseline {
		t.Errorf("baseline from the annotation: %s, %v", again[frontObject], err)
	}
	// Somebody took the annotation away: what was found first stays the baseline.
	if err := c.change("default/front", `[{"op":"remove","path":"/metadata/annotations"}]`); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(t.Context(), nil, set(information, .4, .2), known); err != nil {
		t.Fatal(err)
	}
	if v, err := parseView([]byte(c.objects["default/front"])); err != nil || v.Metadata.Annotations[BaselineAnnotation] != baseline {
		t.Errorf("annotation %q, %v", v.Metadata.Annotations[BaselineAnnotation], err)
	}
	// Nothing differs: nothing is tried, and there is no new baseline.
	c = &cluster{objects: map[string]string{"default/front": before}}
	if known, err = actuator(t, c).Prepare(t.Context(), nil, set(information, .5, 0), nil); err != nil || len(known) > 0 || c.dryRuns > 0 {
		t.Errorf("nothing to do: %v, %v, %d dry runs", known, err, c.dryRuns)
	}
}

func TestPrepareRefuses(t *testing.T) {
	half := httpRoute("information", weight(50), weight(50), "")
	with := func(metadata string) string {
		return strings.Replace(vs("front", nil, half), `"generation":3`, `"generation":3,`+metadata, 1)
	}
	for _, tc := range []struct{ name, object, want string }{
		{"a canary's", with(`"ownerReferences":[{"apiVersion":"flagger.app/v1beta1","kind":"Canary","name":"podinfo","controller":true}]`), "VirtualService default/front is set by Canary podinfo, and two must not set the same"},
		{"written by flagger", with(`"managedFields":[{"manager":"flagger","operation":"Update","fieldsV1":{"f:spec":{"f:http":{}}}}]`), "is set by flagger"},
		{"written by Argo Rollouts", with(`"managedFields":[{"manager":"rollouts-controller","operation":"Update","fieldsV1":{"f:spec":{"f:http":{}}}}]`), "is set by rollouts-controller"},
	} {
		c := &cluster{objects: map[string]string{"default/front": tc.object}}
		a := actuator(t, c)
		_, err := a.Prepare(t.Context(), nil, set(information, .3, 0), nil)
		if _, ok := errors.AsType[*kubeapi.OwnedError](err); !ok || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Prepare: %v, want %q", tc.name, err, tc.want)
		}
		if err := a.Apply(t.Context(), nil, set(information, .3, 0), nil); err == nil || len(c.patches) > 0 || c.dryRuns > 0 {
			t.Errorf("%s: Apply: %v, patches %v", tc.name, err, c.patches)
		}
		if _, _, err := a.Live(t.Context()); err != nil {
			t.Errorf("%s: it cannot be observed: %v", tc.name, err)
		}
	}
	for _, allowed := range []string{
		`"managedFields":[{"manager":"kubectl","fieldsV1":{"f:spec":{"f:http":{}}}}]`,
		`"managedFields":[{"manager":"flagger","fieldsV1":{"f:metadata":{"f:labels":{}}}}]`,
		`"ownerReferences":[{"kind":"ConfigMap","name":"x"}]`,
	} {
		c := &cluster{objects: map[string]string{"default/front": with(allowed)}}
		if _, err := actuator(t, c).Prepare(t.Context(), nil, set(information, .3, 0), nil); err != nil {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	c := &cluster{objects: map[string]string{"default/front": vs("front", nil, half)}}
	c.refuse = func(int) error { return refusal(http.StatusForbidden, "no permission") }
	if _, err := actuator(t, c).Prepare(t.Context(), nil, set(information, .3, 0), nil); err == nil || !strings.Contains(err.Error(), "no permission") {
		t.Errorf("forbidden: %v", err)
	}
	bad := map[string]json.RawMessage{frontObject: json.RawMessage(`[]`)}
	c.refuse = nil
	if _, err := actuator(t, c).Prepare(t.Context(), nil, set(information, .3, 0), bad); err == nil || !strings.Contains(err.Error(), "the baseline in the journal cannot be read") {
		t.Errorf("a broken baseline: %v", err)
	}
}

// What somebody else sets between the reading of the settings and the write, also while the
// write is tried, stays.
func TestWhatOthersSetMeanwhileStays(t *testing.T) {
	theirs := `[{"op":"add","path":"/spec/http/1/route/0/weight","value":90},{"op":"add","path":"/spec/http/1/route/1/weight","value":10}]`
	abort := `[{"op":"add","path":"/spec/http/1/fault","value":{"abort":{"percentage":{"value":60},"httpStatus":429}}}]`
	label := `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`
	live := set(information, .5, 0)
	for _, tc := range []struct {
		name, change string
		during       bool // the first try, which is then a conflict
		written      bool
	}{
		{"weights before", theirs, false, false},
		{"weights during the write", theirs, true, false},
		{"an abort", abort, true, false},
		{"something that is not windvane's", label, true, true},
	} {
		c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
		change := func() {
			if err := c.change("default/front", tc.change); err != nil {
				t.Error(err)
			}
		}
		if tc.during {
			c.before = func(_ *cluster, n int) {
				if n == 1 {
					change()
				}
			}
		} else {
			change()
		}
		err := actuator(t, c).Apply(t.Context(), live, set(information, .3, .2), nil)
		if tc.written != (err == nil) || err != nil && !errors.Is(err, actuate.ErrChanged) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if strings.Contains(c.objects["default/front"], BaselineAnnotation) != tc.written {
			t.Errorf("%s: %s", tc.name, c.objects["default/front"])
		}
	}
	// Somebody did by half what was wanted: the rest is written.
	c := &cluster{objects: map[string]string{"default/front": front(weight(30), weight(70), "")}}
	if err := actuator(t, c).Apply(t.Context(), live, set(information, .3, .2), nil); err != nil {
		t.Error(err)
	}
}
