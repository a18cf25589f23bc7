//go:build integration

package suite

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/integration/stack"
)

const manifests = "../../deploy/kubernetes"

// podTemplate is what a StatefulSet and the template of a job have of a pod, handed on as it is.
type podTemplate struct {
	Metadata map[string]any `json:"metadata"`
	Spec     map[string]any `json:"spec"`
}

// daemonPod and releasePod are those of the kustomization.
func daemonPod(t *testing.T) podTemplate { return template(t, "StatefulSet", "spec", "template") }

func releasePod(t *testing.T) podTemplate {
	return template(t, "CronJob", "spec", "jobTemplate", "spec", "template")
}

// template is what an object of a kind has at a path.
func template(t *testing.T, kind string, path ...string) (out podTemplate) {
	t.Helper()
	for doc := range strings.SplitSeq(kustomized(t), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if o["kind"] != kind {
			continue
		}
		for _, member := range path {
			o, _ = o[member].(map[string]any)
		}
		raw, err := json.Marshal(o)
		if err == nil {
			err = json.Unmarshal(raw, &out)
		}
		if err != nil || out.Spec == nil {
			t.Fatalf("%s has no pod at %v: %v", kind, path, err)
		}
		return out
	}
	t.Fatalf("the kustomization has no %s", kind)
	return out
}

func kustomized(t *testing.T) string {
	t.Helper()
	text, err := shared.Kubectl(t.Context(), stack.Admin, "", "kustomize", manifests)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The API server takes every object as it is, and Pod Security admits the pods as restricted.
func TestManifests(t *testing.T) {
	all := kustomized(t)
	// In a dry run there would be no namespace for what is in it.
	namespace, err := os.ReadFile(filepath.Join(manifests, "namespace.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := shared.Apply(t.Context(), string(namespace)); err != nil {
		t.Fatal(err)
	}
	out, err := shared.Kubectl(t.Context(), stack.Admin, all, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if tried, want := strings.Count(out, "(server dry run)"), strings.Count(all, "\nkind: "); tried != want {
		t.Errorf("%d objects were tried, want %d:\n%s", tried, want, out)
	}
	for name, pod := range map[string]podTemplate{"daemon": daemonPod(t), "release": releasePod(t)} {
		if err := admit(t, pod); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		pod.Spec["securityContext"] = map[string]any{} // what is not admitted shows that it was looked at
		if err := admit(t, pod); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("%s, as anybody: %v", name, err)
		}
	}
}

// admit has the API server do all but create a pod.
func admit(t *testing.T, pod podTemplate) error {
	t.Helper()
	volumes, _ := pod.Spec["volumes"].([]any)
	if !slices.ContainsFunc(volumes, func(v any) bool { return v.(map[string]any)["name"] == "state" }) {
		// That of the claim, which a StatefulSet puts in.
		pod.Spec["volumes"] = append(volumes, map[string]any{"name": "state", "persistentVolumeClaim": map[string]any{"claimName": "state-windvane-0"}})
	}
	pod.Metadata["name"] = "tried"
	body, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": pod.Metadata, "spec": pod.Spec})
	if err != nil {
		t.Fatal(err)
	}
	q := client(t, stack.Admin).Post().AbsPath(coreAPI+"windvane/pods").Param("dryRun", "All").SetHeader("Content-Type", "application/json")
	return q.Body(body).Do(t.Context()).Error()
}
