package kube

import (
	"slices"
	"strings"
	"testing"
)

func TestExamine(t *testing.T) {
	c := &cluster{
		scales: map[string]string{"default/a": scaleOf(`{"replicas":2}`), "default/b": scaleOf(`{"replicas":1}`)},
		others: map[string]string{
			pathOfA:        deploymentOf(""),
			pathOfCanaries: `{"items":[{"metadata":{"name":"c"},"spec":{"targetRef":{"kind":"Deployment","name":"a"}}}]}`,
		},
	}
	got := actuator(t, c, "default/a", "default/b", "default/none").Examine(t.Context())
	if len(got) != 3 || got[0].Replicas != 2 || got[0].Err != nil || got[0].Owner != "Canary c" || got[0].OwnerErr != nil || len(got[0].Raw) == 0 {
		t.Errorf("a: %+v", got)
	}
	if got[1].Err != nil || got[1].OwnerErr == nil { // its Deployment cannot be read
		t.Errorf("b: %+v", got[1])
	}
	if got[2].Err == nil || !strings.Contains(got[2].Err.Error(), "does not exist") {
		t.Errorf("none: %+v", got[2])
	}
	if len(c.puts)+len(c.patches)+c.dryRuns > 0 {
		t.Error("something was written")
	}
}

func TestPermissions(t *testing.T) {
	a := actuator(t, &cluster{}, "default/a", "default/b")
	observe, act := a.Permissions(false), a.Permissions(true)
	if len(observe) != 2 || observe[0].String() != "get deployments/scale default/a" {
		t.Errorf("to observe: %v", observe)
	}
	var words []string
	for _, p := range act {
		words = append(words, p.String())
	}
	for _, want := range []string{
		"update deployments/scale default/b", "patch deployments default/a", "list horizontalpodautoscalers in namespace default",
		"list scaledobjects in namespace default", "list canaries in namespace default", "list rollouts in namespace default",
	} {
		if n := len(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w != want })); n != 1 {
			t.Errorf("%q is there %d times: %v", want, n, words)
		}
	}
}
