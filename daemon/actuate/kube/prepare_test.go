package kube

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

const (
	object         = "Deployment default/a"
	pathOfA        = "/apis/apps/v1/namespaces/default/deployments/a"
	pathOfHPAs     = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
	pathOfKEDA     = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects"
	pathOfCanaries = "/apis/flagger.app/v1beta1/namespaces/default/canaries"
	pathOfRollouts = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts"
)

func deploymentOf(metadata string) string {
	return `{"kind":"Deployment","metadata":{"name":"a","resourceVersion":"5"` + metadata + `},"spec":{"replicas":2}}`
}

// Prepare tries the scale, stores nothing, and returns what there was before; Apply leaves
// that in the annotation before it scales.
func TestPrepare(t *testing.T) {
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}, others: map[string]string{pathOfA: deploymentOf("")}}
	a := actuator(t, c, "default/a")
	want := policy.Action{replicas("default/a", 3)}
	known, err := a.Prepare(t.Context(), nil, want, nil)
	if err != nil || string(known[object]) != `{"replicas":2}` || c.dryRuns != 1 || len(c.puts)+len(c.patches) > 0 {
		t.Fatalf("baseline %s, %v; %d dry runs, puts %v, patches %v", known[object], err, c.dryRuns, c.puts, c.patches)
	}
	if err := a.Apply(t.Context(), nil, want, known); err != nil {
		t.Fatal(err)
	}
	patch := `[{"op":"test","path":"/metadata/resourceVersion","value":"5"},{"op":"add","path":"/metadata/annotations","value":{"windvane.io/baseline":"{\"replicas\":2}"}}]`
	if len(c.patches) != 1 || c.patches[0] != patch || len(c.puts) != 1 {
		t.Errorf("patches %v, puts %v", c.patches, c.puts)
	}
	// Once it is there, it is not written again; and it is the baseline where the journal is lost.
	c.others[pathOfA] = deploymentOf(`,"annotations":{"windvane.io/baseline":"{\"replicas\":2}"}`)
	if known, err = a.Prepare(t.Context(), nil, policy.Action{replicas("default/a", 4)}, nil); err != nil || string(known[object]) != `{"replicas":2}` {
		t.Errorf("baseline from the annotation: %s, %v", known[object], err)
	}
	if err := a.Apply(t.Context(), nil, policy.Action{replicas("default/a", 4)}, known); err != nil || len(c.patches) != 1 {
		t.Errorf("%v, patches %v", err, c.patches)
	}
	// What is as wanted is not looked at.
	c.others, c.dryRuns = nil, 0
	if known, err = a.Prepare(t.Context(), nil, policy.Action{replicas("default/a", 4)}, nil); err != nil || len(known) > 0 || c.dryRuns > 0 {
		t.Errorf("nothing to do: %v, %v", known, err)
	}
}

// Others may change the Deployment between reading it and annotating it.
func TestAnnotateConflicts(t *testing.T) {
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}, others: map[string]string{pathOfA: deploymentOf("")}}
	a, want := actuator(t, c, "default/a"), policy.Action{replicas("default/a", 3)}
	c.faster = 1
	known, err := a.Prepare(t.Context(), nil, want, nil)
	if err != nil || c.faster > 0 {
		t.Fatalf("Prepare: %v", err)
	}
	c.others[pathOfA], c.faster = deploymentOf(""), 1
	if err := a.Apply(t.Context(), nil, want, known); err != nil || len(c.patches) != 2 || len(c.puts) != 1 {
		t.Errorf("%v; patches %v, puts %v", err, c.patches, c.puts)
	}
	// Where nobody has changed it, it is the patch that is refused.
	c = &cluster{others: map[string]string{pathOfA: deploymentOf("")}, forbidden: status(http.StatusUnprocessableEntity, "invalid")}
	c.scales = map[string]string{"default/a": scaleOf(`{"replicas":2}`)}
	if _, err := actuator(t, c, "default/a").Prepare(t.Context(), nil, want, nil); err == nil || !strings.Contains(err.Error(), "annotate deployment default/a: invalid") {
		t.Errorf("an invalid annotation: %v", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	list := func(ref string) string {
		return `{"items":[{"metadata":{"name":"scaler"},"spec":{"scaleTargetRef":` + ref + `}}]}`
	}
	for _, tc := range []struct {
		name   string
		others map[string]string
		want   string
		owned  bool
	}{
		{"an autoscaler", map[string]string{pathOfHPAs: list(`{"kind":"Deployment","name":"a"}`)}, "Deployment default/a is set by HorizontalPodAutoscaler scaler", true},
		{"another's autoscaler", map[string]string{pathOfHPAs: list(`{"kind":"Deployment","name":"b"}`)}, "", false},
		{"of another kind", map[string]string{pathOfHPAs: list(`{"kind":"StatefulSet","name":"a"}`)}, "", false},
		{"KEDA", map[string]string{pathOfKEDA: list(`{"name":"a"}`)}, "is set by ScaledObject scaler", true},
		{"a canary", map[string]string{pathOfCanaries: `{"items":[{"metadata":{"name":"c"},"spec":{"targetRef":{"kind":"Deployment","name":"a"}}}]}`}, "is set by Canary c", true},
		{"a rollout that refers to it", map[string]string{pathOfRollouts: `{"items":[{"metadata":{"name":"r"},"spec":{"workloadRef":{"kind":"Deployment","name":"a"}}}]}`}, "is set by Rollout r", true},
		{"a rollout of its own pods", map[string]string{pathOfRollouts: `{"items":[{"metadata":{"name":"a"},"spec":{"replicas":1}}]}`}, "", false},
		{"a reference that is none", map[string]string{pathOfCanaries: `{"items":[{"metadata":{"name":"c"},"spec":{"targetRef":"a"}}]}`}, "whether a Canary scales deployment default/a cannot be told", false},
		{"not allowed to look", map[string]string{pathOfHPAs: ""}, "cannot be told: no permission; allow windvane to list horizontalpodautoscalers in namespace default", false},
		{"an answer that is none", map[string]string{pathOfKEDA: "{"}, "whether a ScaledObject scales deployment default/a cannot be told", false},
		{"a rollout's", map[string]string{pathOfA: deploymentOf(`,"ownerReferences":[{"kind":"Rollout","name":"r"}]`)}, "is set by Rollout r", true},
		{"flagger", map[string]string{pathOfA: deploymentOf(`,"managedFields":[{"manager":"flagger","fieldsV1":{"f:spec":{"f:replicas":{}}}}]`)}, "is set by flagger", true},
		{"a broken annotation", map[string]string{pathOfA: deploymentOf(`,"annotations":{"windvane.io/baseline":"x"}`)}, "correct it, or remove it", false},
	} {
		c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}, others: map[string]string{pathOfA: deploymentOf("")}}
		maps.Copy(c.others, tc.others)
		_, err := actuator(t, c, "default/a").Prepare(t.Context(), nil, policy.Action{replicas("default/a", 3)}, nil)
		_, owned := errors.AsType[*kubeapi.OwnedError](err)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) || owned != tc.owned {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if (c.dryRuns > 0) != (tc.want == "") || len(c.puts) > 0 {
			t.Errorf("%s: %d dry runs, puts %v", tc.name, c.dryRuns, c.puts)
		}
	}
}

func TestPrepareTriesTheAnnotation(t *testing.T) {
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}, others: map[string]string{pathOfA: deploymentOf("")}}
	c.forbidden = status(http.StatusForbidden, "no permission to patch")
	_, err := actuator(t, c, "default/a").Prepare(t.Context(), nil, policy.Action{replicas("default/a", 3)}, nil)
	if err == nil || !strings.Contains(err.Error(), "annotate deployment default/a: no permission to patch") || c.dryRuns+len(c.puts) > 0 {
		t.Errorf("%v, puts %v", err, c.puts)
	}
}

// Known baselines are never replaced by what is there now.
func TestKnownBaselinesStay(t *testing.T) {
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":7}`)}, others: map[string]string{pathOfA: deploymentOf("")}}
	known := map[string]json.RawMessage{object: json.RawMessage(`{"replicas":2}`)}
	got, err := actuator(t, c, "default/a").Prepare(t.Context(), nil, policy.Action{replicas("default/a", 8)}, known)
	if err != nil || string(got[object]) != `{"replicas":2}` {
		t.Errorf("%s, %v", got[object], err)
	}
}

// Replicas that somebody else sets between the reading and the write stay.
func TestWhatOthersSetMeanwhileStays(t *testing.T) {
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}}
	c.before = func(c *cluster, n int) {
		if n == 1 {
			c.scales["default/a"] = strings.Replace(scaleOf(`{"replicas":7}`), `"5"`, `"6"`, 1)
		}
	}
	live := policy.Action{replicas("default/a", 2)}
	err := actuator(t, c, "default/a").Apply(t.Context(), live, policy.Action{replicas("default/a", 3)}, nil)
	if !errors.Is(err, actuate.ErrChanged) || !strings.Contains(err.Error(), "were 2 and are 7") || len(c.puts) != 1 || !strings.Contains(c.scales["default/a"], `"replicas":7`) {
		t.Errorf("%v, puts %v, scale %s", err, c.puts, c.scales["default/a"])
	}
	if err := actuator(t, c, "default/a").Apply(t.Context(), live, policy.Action{replicas("default/a", 7)}, nil); err != nil {
		t.Errorf("as wanted already: %v", err)
	}
}
