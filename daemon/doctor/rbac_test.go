package doctor_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/daemon/doctor"
)

// The roles that are shipped allow exactly what doctor asks for.
func TestShippedRoles(t *testing.T) {
	routes, err := istio.New(istio.Options{Client: istio.NewClient(nil), Routes: []istio.Route{
		{Service: "a", VirtualService: "default/front", HTTP: "a", Destinations: []string{"v1", "v2"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	replicas, err := kube.New(kube.Options{Client: kube.NewClient(nil), Deployments: []string{"default/node"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../deploy/kubernetes/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string][]string{}
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var role struct {
			Metadata struct{ Name string }
			Rules    []struct{ APIGroups, Resources, Verbs []string }
		}
		if err := yaml.Unmarshal(doc, &role); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.Rules {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					roles[role.Metadata.Name] = append(roles[role.Metadata.Name], verb+" "+r.APIGroups[0]+" "+resource)
				}
			}
		}
	}
	needed := func(act bool) []string {
		var out []string
		for _, p := range slices.Concat(routes.Permissions(act), replicas.Permissions(act)) {
			out = append(out, verbOf(p))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	for role, act := range map[string]bool{"windvane-act": true, "windvane-observe": false} {
		if d := cmp.Diff(needed(act), slices.Sorted(slices.Values(roles[role]))); d != "" {
			t.Errorf("%s (-needed +allowed):\n%s", role, d)
		}
	}
	var shared []string
	for _, p := range doctor.LeasePermissions("windvane", "windvane") {
		shared = append(shared, verbOf(p))
	}
	slices.Sort(shared)
	if d := cmp.Diff(shared, slices.Sorted(slices.Values(roles["windvane-lease"]))); d != "" {
		t.Errorf("windvane-lease (-needed +allowed):\n%s", d)
	}
}

func verbOf(p actuate.Permission) string { return p.Verb + " " + p.Group + " " + p.Resource }
