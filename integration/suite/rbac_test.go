//go:build integration

package suite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// policyRule and clusterRole are what Kubernetes calls so, as far as the shipped roles go.
type policyRule struct {
	Groups    []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Names     []string `json:"resourceNames,omitempty"`
	Verbs     []string `json:"verbs"`
}

type clusterRole struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Rules []policyRule `json:"rules"`
}

// shippedRoles reads the roles that are documented.
func shippedRoles(t *testing.T) []clusterRole {
	t.Helper()
	text, err := os.ReadFile("../../deploy/kubernetes/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []clusterRole
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var role clusterRole
		if err := yaml.UnmarshalStrict(doc, &role); err != nil {
			t.Fatal(err)
		}
		out = append(out, role)
	}
	return out
}

// lacking is somebody who has a role of which one verb was taken away.
type lacking struct {
	user    string
	role    string // which the rules are of
	rules   []policyRule
	removed policyRule // with one verb; without any: nothing was removed
}

// lackingOneVerb returns a user for each verb of a role, and one who has all of them.
func lackingOneVerb(t *testing.T, role clusterRole) []lacking {
	t.Helper()
	name := role.Metadata.Name
	out := []lacking{{user: "whole-" + name, role: name, rules: role.Rules}}
	for i, rule := range role.Rules {
		if len(rule.Groups) != 1 || len(rule.Resources) != 1 {
			t.Fatalf("%s: %+v: want rules of one group and one resource, as doctor writes them", name, rule)
		}
		for _, verb := range rule.Verbs {
			l := lacking{user: fmt.Sprintf("lacking-%s-%d-%s", name, i, verb), role: name, rules: slices.Clone(role.Rules), removed: rule}
			l.removed.Verbs = []string{verb}
			l.rules[i].Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(v string) bool { return v == verb })
			if len(l.rules[i].Verbs) == 0 {
				l.rules = slices.Delete(l.rules, i, i+1)
			}
			out = append(out, l)
		}
	}
	return out
}

// objects give the user the rules, and to those who share a lease what they need beside it.
func (l lacking) objects(t *testing.T) string {
	t.Helper()
	rules, err := yaml.Marshal(map[string]any{"rules": l.rules})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s, namespace: default}\n%s", l.user, rules) + binding(l.user, l.user, "Role", l.user)
	if l.role == "windvane-lease" {
		text += binding(l.user+"-observe", l.user, "ClusterRole", "windvane-observe")
	}
	return text
}

// binding gives a user a role in the namespace default.
func binding(name, user, kind, role string) string {
	return fmt.Sprintf(`---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %s, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}]
`, name, kind, role, user)
}

// windvane writes the files of a daemon that is run by the user.
func (l lacking) windvane(t *testing.T) *stack.Windvane {
	t.Helper()
	authority, plugins := rules.AuthorityObserve, "\n[plugin.shed]\nbuiltin = \"threshold\"\n"
	switch l.role {
	case "windvane-act":
		authority = rules.AuthorityAct
	case "windvane-lease":
		plugins += "\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\n"
	}
	const workload = "\n[[workload]]\nname = \"node-v1\"\ndeployment = \"default/node-v1\"\nreplicas = {minimum = 1, maximum = 2, cost = 0.2}\n"
	w, err := shared.NewWindvane(stack.WindvaneOptions{
		Name: l.user, Program: program, User: stack.User{Name: l.user}, Prometheus: prometheus.URL(), Rules: rulesText(authority) + workload, Plugins: plugins,
	})
	if err != nil {
		t.Fatal(err)
	}
	impersonate(t, l.user)
	return w
}

// impersonate makes the kubeconfig of a user whom the API server has no token for: it knows
// those that it has read at its start, and Admin's acts for others.
func impersonate(t *testing.T, user string) {
	t.Helper()
	file, err := shared.Kubeconfig(stack.User{Name: user})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("token: token-"+user), []byte("token: token-"+stack.Admin.Name+", as: "+user))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is what doctor has to say of the verb that is gone: what, and what to do.
func (l lacking) said() (check, what, do string) {
	r := l.removed
	object := map[string]string{
		"virtualservices": " default/front", "deployments": " default/node-v1", "deployments/scale": " default/node-v1",
		"leases": " default/windvane", "configmaps": " default/windvane",
	}[r.Resources[0]]
	if r.Verbs[0] == "list" || r.Verbs[0] == "create" { // which are for no single object
		object = " in namespace default"
	}
	check, what = "permissions", "windvane may not "+r.Verbs[0]+" "+r.Resources[0]+object
	if l.role == "windvane-lease" {
		check, what = "lease", what+": it stands by for ever"
	}
	group := r.Groups[0]
	if group == "" {
		group = `""`
	}
	return check, what, fmt.Sprintf("add to the Role or ClusterRole that windvane is bound to in namespace default:\nrules:\n"+
		"  - apiGroups: [%s]\n    resources: [%s]\n    verbs: [%s]\n", group, r.Resources[0], r.Verbs[0])
}

// Each verb of each documented role is needed: without it doctor fails, and names it, with its
// group, resource and namespace, and what to add; with all of them it has nothing to say.
func TestEachVerbIsNeededAndNamed(t *testing.T) {
	offering(t, 50)
	var all []lacking
	for _, role := range shippedRoles(t) {
		all = append(all, lackingOneVerb(t, role)...)
	}
	// Who has all comes last: the API server learns of roles in the order of their writing.
	slices.SortStableFunc(all, func(a, b lacking) int { return len(b.removed.Verbs) - len(a.removed.Verbs) })
	var text strings.Builder
	for _, l := range all {
		text.WriteString(l.objects(t))
	}
	if err := shared.Apply(t.Context(), text.String()); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	for _, l := range all {
		w := l.windvane(t)
		if len(l.removed.Verbs) == 0 {
			nothingIsMissing(t, l, w)
			continue
		}
		t.Run(l.user, func(t *testing.T) {
			t.Parallel()
			report, code := diagnose(t, w)
			check, what, do := l.said()
			found := slices.DeleteFunc(of(report, check), func(f doctor.Finding) bool { return f.Status == doctor.OK })
			if code != 1 || len(found) != 1 || found[0].Status != doctor.Problem || found[0].What != what || found[0].Do != do {
				t.Errorf("exit code %d; %s:\n%+v\nwant %s\n%s", code, check, found, what, do)
			}
		})
	}
}

// nothingIsMissing waits until the role is known and the signals are there.
func nothingIsMissing(t *testing.T, l lacking, w *stack.Windvane) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(interval / 4) {
		report, code := diagnose(t, w)
		if code == 0 && report.Count(doctor.Problem) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: exit code %d\n%+v", l.user, code, report.Findings)
		}
	}
}

// diagnose runs doctor, and returns its exit code.
func diagnose(t *testing.T, w *stack.Windvane) (doctor.Report, int) {
	t.Helper()
	out, err := exec.Command(program, "doctor", "--config.file", w.Config(), "--json").Output()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		t.Fatal(err)
	}
	var report doctor.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if failed {
		return report, exit.ExitCode()
	}
	return report, 0
}

// client asks the API server as a user: who has no token of its own, through Admin's.
func client(t *testing.T, u stack.User) rest.Interface {
	t.Helper()
	known := u
	if u != windvane {
		known = stack.Admin
	}
	file, err := shared.Kubeconfig(known)
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	if known != u {
		c.Impersonate.UserName = u.Name
	}
	c.NegotiatedSerializer, c.QPS = scheme.Codecs.WithoutConversion(), -1
	r, err := rest.UnversionedRESTClientFor(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// request is one to the API server.
type request struct {
	user               stack.User
	method, path, body string
}

// send returns what the API server has against it. Where it would change something it is
// only tried: nothing is lost if it is allowed after all.
func (r request) send(t *testing.T) error {
	contentType := "application/json"
	if r.method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	q := client(t, r.user).Verb(r.method).RequestURI(r.path).SetHeader("Content-Type", contentType)
	if r.method != http.MethodGet {
		q = q.Param("dryRun", "All")
	}
	return q.Body([]byte(r.body)).Do(t.Context()).Error()
}

const (
	coreAPI  = "/api/v1/namespaces/"
	istioAPI = "/apis/networking.istio.io/v1/namespaces/"
	appsAPI  = "/apis/apps/v1/namespaces/"
	leaseAPI = "/apis/coordination.k8s.io/v1/namespaces/"
	rbacAPI  = "/apis/rbac.authorization.k8s.io/v1/"
)

// clusterAdmin is a binding to the role that may do everything.
func clusterAdmin(kind string) string {
	return fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":%q,"metadata":{"name":"mine"},`+
		`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}`, kind)
}

// What windvane has no business with is refused by the API server, to users who have the
// documented roles.
func TestNothingElseIsAllowed(t *testing.T) {
	kubectl(t, "create", "secret", "generic", "hidden", "--from-literal=key=hidden")
	defer kubectl(t, "delete", "secret", "hidden")
	observer, holder := stack.User{Name: "only-observing"}, stack.User{Name: "only-holding"}
	roles := binding(observer.Name, observer.Name, "ClusterRole", "windvane-observe") + binding(holder.Name, holder.Name, "ClusterRole", "windvane-lease")
	if err := shared.Apply(t.Context(), roles); err != nil {
		t.Fatal(err)
	}
	get := func(u stack.User, path string) request { return request{u, http.MethodGet, path, ""} }
	patch := func(u stack.User, path string) request {
		return request{u, http.MethodPatch, path, `{"metadata":{"labels":{"mine":"yes"}}}`}
	}
	remove := func(u stack.User, path string) request { return request{u, http.MethodDelete, path, ""} }
	post := func(path, body string) request { return request{windvane, http.MethodPost, path, body} }
	for _, r := range []request{
		get(windvane, coreAPI+"default/secrets"), get(windvane, coreAPI+"default/secrets/hidden"), get(windvane, "/api/v1/secrets"),
		get(windvane, coreAPI+"default/pods"), get(windvane, coreAPI+"default/configmaps"), get(windvane, "/api/v1/nodes"),
		get(windvane, istioAPI+"default/virtualservices"), get(windvane, istioAPI+"kube-system/virtualservices/front"),
		get(windvane, leaseAPI+"default/leases/windvane"),
		post(coreAPI+"default/pods/node/exec?command=sh", ""), post(istioAPI+"default/virtualservices", `{}`), post(appsAPI+"default/deployments", `{}`),
		post(coreAPI+"default/serviceaccounts/default/token", `{}`),
		post(rbacAPI+"namespaces/default/rolebindings", clusterAdmin("RoleBinding")), post(rbacAPI+"clusterrolebindings", clusterAdmin("ClusterRoleBinding")),
		patch(windvane, rbacAPI+"clusterroles/windvane-act"),
		patch(windvane, istioAPI+"kube-system/virtualservices/front"), patch(windvane, appsAPI+"kube-system/deployments/node-v1"),
		patch(windvane, istioAPI+"default/gateways/shop"), patch(windvane, istioAPI+"default/destinationrules/compute"), patch(windvane, coreAPI+"default"),
		remove(windvane, istioAPI+"default/virtualservices/front"), remove(windvane, appsAPI+"default/deployments/node-v1"),

		get(observer, appsAPI+"default/deployments/node-v1"),
		patch(observer, istioAPI+"default/virtualservices/front"), patch(observer, appsAPI+"default/deployments/node-v1/scale"),

		get(holder, leaseAPI+"default/leases/other"), get(holder, coreAPI+"default/configmaps/other"), get(holder, coreAPI+"default/configmaps"),
		get(holder, istioAPI+"default/virtualservices/front"), remove(holder, leaseAPI+"default/leases/windvane"),
	} {
		if err := r.send(t); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), fmt.Sprintf("User %q cannot", r.user.Name)) {
			t.Errorf("%s: %s %s: %v; want it refused for want of a permission", r.user.Name, r.method, r.path, err)
		}
	}
	for _, r := range []request{
		get(windvane, istioAPI+"default/virtualservices/front"), get(observer, appsAPI+"default/deployments/node-v1/scale"), get(holder, leaseAPI+"default/leases/windvane"),
	} {
		if err := r.send(t); apierrors.IsForbidden(err) { // the lease may not be there
			t.Errorf("%s: %s %s: %v", r.user.Name, r.method, r.path, err)
		}
	}
}
