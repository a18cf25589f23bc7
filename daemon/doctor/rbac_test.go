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

// The roles that are shipped allow what doctor asks for: to act exactly that, and to
// observe all of it.
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
	if d := cmp.Diff(needed(true), slices.Sorted(slices.Values(roles["windvane-act"]))); d != "" {
		t.Errorf("windvane-act (-needed +allowed):\n%s", d)
	}
	var shared []string
	for _, p := range doctor.LeasePermissions("windvane", "windvane") {
		shared = append(shared, verbOf(p))
	}
	slices.Sort(shared)
	if d := cmp.Diff(shared, slices.Sorted(slices.Values(roles["windvane-lease"]))); d != "" {
		t.Errorf("windvane-lease (-needed +allowed):\n%s", d)
	}
	for _, p := range needed(false) {
		if !slices.Contains(roles["windvane-observe"], p) {
			t.Errorf("windvane-observe does not allow to %s", p)
		}
	}
}

func verbOf(p actuate.Permission) string { return p.Verb + " " + p.Group + " " + p.Resource }
