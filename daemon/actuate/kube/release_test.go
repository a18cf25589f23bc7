package kube

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/plugins/policy"
)

func TestRelease(t *testing.T) {
	known := map[string]json.RawMessage{object: json.RawMessage(`{"replicas":2}`)}
	annotated := deploymentOf(`,"annotations":{"windvane.io/baseline":"{\"replicas\":2}"}`)
	commanded := []policy.Action{{replicas("default/a", 7)}, {replicas("default/a", 5)}}
	scale, forget := "kubectl -n default scale deployment a --replicas=2", "kubectl -n default annotate deployment a windvane.io/baseline-"
	for _, tc := range []struct {
		name, spec, deployment string
		o                      actuate.ReleaseOptions
		from, problem          string
		kubectl                []string
		puts, patches          int
	}{
		{"from the journal", `{"replicas":5}`, annotated, actuate.ReleaseOptions{Known: known, Commanded: commanded}, "journal", "", []string{scale, forget}, 1, 1},
		{"from the annotation", `{"replicas":5}`, annotated, actuate.ReleaseOptions{}, "annotation", "", []string{scale, forget}, 1, 1},
		{"as it was", `{"replicas":2}`, annotated, actuate.ReleaseOptions{Known: known, Commanded: commanded}, "journal", "", []string{forget}, 0, 1},
		{"as it was, annotation gone", `{"replicas":2}`, deploymentOf(""), actuate.ReleaseOptions{Known: known, Commanded: commanded}, "journal", "", nil, 0, 0},
		{"never written", `{"replicas":2}`, deploymentOf(""), actuate.ReleaseOptions{}, "", "", nil, 0, 0},
		{"over drift", `{"replicas":9}`, annotated, actuate.ReleaseOptions{Known: known, Commanded: commanded}, "journal", "others have changed", nil, 0, 0},
		{"over drift, forced", `{"replicas":9}`, annotated, actuate.ReleaseOptions{Known: known, Commanded: commanded, Force: true}, "journal", "", []string{scale, forget}, 1, 1},
		{"dry run", `{"replicas":5}`, annotated, actuate.ReleaseOptions{Known: known, Commanded: commanded, DryRun: true}, "journal", "", []string{scale, forget}, 0, 0},
		{"a broken baseline", `{"replicas":5}`, deploymentOf(`,"annotations":{"windvane.io/baseline":"x"}`), actuate.ReleaseOptions{}, "annotation", "the baseline from the annotation", nil, 0, 0},
	} {
		c := &cluster{scales: map[string]string{"default/a": scaleOf(tc.spec)}, others: map[string]string{pathOfA: tc.deployment}}
		got := actuator(t, c, "default/a").Release(t.Context(), tc.o)
		if len(got) != 1 || got[0].Baseline != tc.from || (got[0].Problem == "") != (tc.problem == "") || !strings.Contains(got[0].Problem, tc.problem) {
			t.Errorf("%s: %+v", tc.name, got)
			continue
		}
		if !slices.Equal(got[0].Kubectl, tc.kubectl) || len(c.puts) != tc.puts || len(c.patches) != tc.patches || got[0].Changed != (len(tc.kubectl) > 0) {
			t.Errorf("%s: %+v; puts %v, patches %v", tc.name, got[0], c.puts, c.patches)
		}
	}
	// A Deployment that is no longer in the rules file is given back all the same.
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":5}`)}, others: map[string]string{pathOfA: annotated}}
	if got := actuator(t, c).Release(t.Context(), actuate.ReleaseOptions{Known: known, Commanded: commanded}); len(got) != 1 || !got[0].Changed {
		t.Errorf("%+v", got)
	}
}

// The baseline goes, and windvane with it as a manager of fields, although others are at work.
func TestReleaseForgets(t *testing.T) {
	const managers = `,"managedFields":[{"manager":"windvane","operation":"Update","subresource":"scale"},{"manager":"kubectl"},{"manager":"windvane","operation":"Update"}]`
	c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`)}, others: map[string]string{pathOfA: deploymentOf(`,"annotations":{"windvane.io/baseline":"{\"replicas\":2}"}` + managers)}}
	c.faster = 1
	if got := actuator(t, c, "default/a").Release(t.Context(), actuate.ReleaseOptions{}); len(got) != 1 || got[0].Problem != "" {
		t.Fatalf("%+v", got)
	}
	want := `[{"op":"test","path":"/metadata/resourceVersion","value":"6"},{"op":"remove","path":"/metadata/annotations/windvane.io~1baseline"},` +
		`{"op":"remove","path":"/metadata/managedFields/2"},{"op":"remove","path":"/metadata/managedFields/0"}]`
	if len(c.patches) != 2 || c.patches[1] != want {
		t.Errorf("got %v\nwant %s", c.patches, want)
	}
}
