//go:build integration

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

const virtualServices = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"

// delegate is a VirtualService of a team that applies its manifests by server-side apply. It
// is one that others delegate to: it has no hosts.
func delegate(name, timeout string, v1, v2 int) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %[1]s, namespace: default, labels: {team: shop}, annotations: {shop.example/note: kept}}
spec:
  http:
    - name: %[1]s
      timeout: %[2]s
      retries: {attempts: 0}
      route:
        - {destination: {host: %[1]s.shop.internal, subset: v1}, weight: %[3]d}
        - {destination: {host: %[1]s.shop.internal, subset: v2}, weight: %[4]d}
`, name, timeout, v1, v2)
}

// gitops applies a manifest as the team's delivery does.
func gitops(t *testing.T, manifest string, flags ...string) error {
	t.Helper()
	_, err := shared.Kubectl(t.Context(), stack.Admin, manifest, append([]string{"apply", "--server-side", "--field-manager=gitops", "-f", "-"}, flags...)...)
	return err
}

// delegates has the delegates created for the test.
func delegates(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := gitops(t, delegate(name, "10s", 50, 50)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := shared.Do(context.Background(), http.MethodDelete, virtualServices+"/"+name, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// held is what the API server has of a VirtualService.
type held struct {
	Spec     json.RawMessage `json:"spec"`
	Metadata struct {
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		Managed         []manager         `json:"managedFields"`
	} `json:"metadata"`
}

func get(t *testing.T, path string) (h held) {
	t.Helper()
	text, err := shared.Do(t.Context(), http.MethodGet, path, "")
	if err == nil {
		err = json.Unmarshal([]byte(text), &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// managed reports whether windvane is a manager of fields of the object.
func (h held) managed() bool {
	return slices.ContainsFunc(h.Metadata.Managed, func(m manager) bool { return m.Manager == "windvane" })
}

// managers are who manages which fields, as JSON.
func (h held) managers(t *testing.T) string {
	t.Helper()
	raw, err := json.Marshal(h.Metadata.Managed)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// manager is an entry of the field managers.
type manager struct {
	Manager string          `json:"manager"`
	Fields  json.RawMessage `json:"fieldsV1"`
}

// theirs is what is not windvane's: the spec, the labels and the annotations.
func (h held) theirs(t *testing.T) string {
	t.Helper()
	meta, err := json.Marshal(map[string]any{"labels": h.Metadata.Labels, "annotations": h.Metadata.Annotations})
	if err != nil {
		t.Fatal(err)
	}
	return string(h.Spec) + "\n" + string(meta)
}

// share is a plan for one service of the shop, whose route is in a VirtualService of its name.
func share(service string, v1, blocking float64) policy.Action {
	id := policy.KnobID{Kind: policy.Weight, Target: "default/" + service + "/" + service}
	out := policy.Action{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: service}, Value: blocking}}
	for version, w := range map[string]float64{"v1": v1, "v2": 1 - v1} {
		id.Part = version
		out = append(out, policy.Setting{KnobID: id, Value: w})
	}
	out.Sort()
	return out
}

// owner sets a delegate of a team's, which goes on to apply it, too.
type owner struct {
	t     *testing.T
	name  string
	path  string
	known map[string]json.RawMessage
}

func newOwner(t *testing.T) *owner {
	o := &owner{t: t, name: "owned", path: virtualServices + "/owned"}
	delegates(t, o.name)
	return o
}

// actuator is windvane's, for the delegate as its own or as one that others share.
func (o *owner) actuator(owned bool) *istio.Actuator {
	client, err := shared.REST(windvane)
	if err != nil {
		o.t.Fatal(err)
	}
	a, err := istio.New(istio.Options{
		Client:   istio.NewClient(client),
		Routes:   []istio.Route{{Service: o.name, VirtualService: "default/" + o.name, HTTP: o.name, Destinations: stack.Versions, Owned: owned}},
		Blocking: []istio.Blocking{{Service: o.name, Status: http.StatusTooManyRequests}},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return a
}

// act is what a cycle does.
func (o *owner) act(a *istio.Actuator, live, want policy.Action) {
	o.t.Helper()
	var err error
	if o.known, err = a.Prepare(o.t.Context(), live, want, o.known); err == nil {
		err = a.Apply(o.t.Context(), live, want, o.known)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// applyAs applies a part of the delegate as another field manager.
func (o *owner) applyAs(manager, spec string) {
	o.t.Helper()
	object := fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":%q,"namespace":"default"}%s}`, o.name, spec)
	if _, err := shared.Kubectl(o.t.Context(), stack.Admin, object, "apply", "--server-side", "--field-manager="+manager, "--force-conflicts", "-f", "-"); err != nil {
		o.t.Fatal(err)
	}
}

// The routes are windvane's while it acts; the rest of the delegate stays its team's, who may
// add to it, and take that away again.
func TestDelegateHasFieldManagers(t *testing.T) {
	o := newOwner(t)
	a, first, second := o.actuator(true), share(o.name, .25, .4), share(o.name, .3, 0)
	o.act(a, share(o.name, .5, 0), first)
	if err := gitops(t, delegate(o.name, "9s", 50, 50)); err == nil || !strings.Contains(err.Error(), `conflict with "windvane": .spec.http`) {
		t.Errorf("the team applies over windvane's routes without force: %v", err)
	}
	kubectl(t, "patch", "virtualservice", o.name, "--type=json", "--field-manager=somebody", "-p",
		`[{"op":"add","path":"/metadata/labels/more","value":"x"},{"op":"add","path":"/spec/http/0/headers","value":{"request":{"set":{"x-shop":"1"}}}}]`)
	o.applyAs("visibility", `,"spec":{"exportTo":["*"]}`)
	o.act(a, first, second)
	if h := get(t, o.path); !strings.Contains(string(h.Spec), `"exportTo":["*"]`) || !strings.Contains(string(h.Spec), `"x-shop":"1"`) || h.Metadata.Labels["more"] != "x" {
		t.Errorf("windvane took away what others have added: %s", h.theirs(t))
	}
	o.applyAs("visibility", "")
	if h := get(t, o.path); strings.Contains(string(h.Spec), "exportTo") {
		t.Errorf("what was applied beside windvane's routes cannot be taken away again: %s", h.theirs(t))
	}
}

// The team forces its own weights: windvane does not overwrite them, and a release does
// not, until windvane has set them itself. After a release the team goes on without force,
// although windvane has set the delegate in both ways.
func TestDelegateForcedByItsTeam(t *testing.T) {
	o := newOwner(t)
	first, second := share(o.name, .25, .4), share(o.name, .3, 0)
	o.act(o.actuator(false), share(o.name, .5, 0), first) // before the rules file made it windvane's own
	if err := gitops(t, delegate(o.name, "9s", 70, 30)); err == nil || !strings.Contains(err.Error(), `conflict with "windvane"`) {
		t.Errorf("the team applies over windvane's weights without force: %v", err)
	}
	a := o.actuator(true)
	o.act(a, first, second)
	if err := gitops(t, delegate(o.name, "9s", 70, 30), "--force-conflicts"); err != nil {
		t.Fatal(err)
	}
	forced := get(t, o.path)
	if err := a.Apply(t.Context(), second, first, o.known); !errors.Is(err, actuate.ErrChanged) {
		t.Errorf("windvane over a change of the team's: %v", err)
	}
	given := actuate.ReleaseOptions{Known: o.known, Commanded: []policy.Action{second}}
	if refused := a.Release(t.Context(), given); len(refused) != 1 || !strings.Contains(refused[0].Problem, actuate.ErrDrift.Error()) {
		t.Errorf("release over a change of the team's: %+v", refused)
	}
	if h := get(t, o.path); h.Metadata.ResourceVersion != forced.Metadata.ResourceVersion {
		t.Errorf("it was written: %s", h.theirs(t))
	}
	o.act(a, share(o.name, .7, 0), second)
	if released := a.Release(t.Context(), given); len(released) != 1 || released[0].Problem != "" || !released[0].Changed {
		t.Errorf("release: %+v", released)
	}
	delete(forced.Metadata.Annotations, istio.BaselineAnnotation)
	after, want := get(t, o.path), strings.NewReplacer(`"weight":70`, `"weight":50`, `"weight":30`, `"weight":50`).Replace(forced.theirs(t))
	if after.theirs(t) != want || after.managed() {
		t.Errorf("after release\n%s\nwant\n%s\nmanagers %s", after.theirs(t), want, after.managers(t))
	}
	if err := gitops(t, delegate(o.name, "8s", 60, 40)); err != nil {
		t.Errorf("the team cannot go on: %v", err)
	}
}

// owning are the rules of the shop with a delegate of windvane's own for each service.
func owning() string {
	text := rulesText(rules.AuthorityAct)
	for _, s := range stack.Services {
		text = strings.Replace(text, "virtual_service = \"default/front\"\n  http = \""+s+"\"", "virtual_service = \"default/"+s+"\"\n  ownership = \"owned\"\n  http = \""+s+"\"", 1)
	}
	return text
}

// delegateFront has the shop's front delegate to a VirtualService for each service, for the
// test. It returns what their team has written.
func delegateFront(t *testing.T) map[string]string {
	delegates(t, stack.Services...)
	root := get(t, virtualServices+"/front")
	t.Cleanup(func() {
		if _, err := shared.Do(context.Background(), http.MethodPatch, virtualServices+"/front", fmt.Sprintf(`{"spec":%s}`, root.Spec)); err != nil {
			t.Error(err)
		}
	})
	var routes []string
	written := map[string]string{}
	for _, s := range stack.Services {
		routes = append(routes, fmt.Sprintf(`{"name":%q,"match":[{"port":%s}],"delegate":{"name":%[1]q,"namespace":"default"}}`, s, shop.Ports[s]))
		written[s] = get(t, virtualServices+"/"+s).theirs(t)
	}
	if _, err := shared.Do(t.Context(), http.MethodPatch, virtualServices+"/front", `{"spec":{"http":[`+strings.Join(routes, ",")+`]}}`); err != nil {
		t.Fatal(err)
	}
	time.Sleep(interval)
	return written
}

// windvane sheds by delegates of its own, holds while somebody else has changed one, goes on
// when that is put right, and gives them back.
func TestDelegateUnderLoad(t *testing.T) {
	before := delegateFront(t)
	stop := offering(t, 230)
	w := startWindvane(t, "owning", owning())
	shedding := func(m api.Mesh) bool { return m.Hold == "" && blocked(m) > 0 }
	eventually(t, w, time.Minute, "something shed", shedding)

	for _, s := range stack.Services {
		if h := get(t, virtualServices+"/"+s); h.theirs(t) != before[s] && !h.managed() {
			t.Errorf("%s is not applied by windvane: %s", s, h.managers(t))
		}
	}
	shed := 0
	for s, answers := range stop() {
		for _, a := range answers {
			switch a.Status {
			case http.StatusOK:
			case http.StatusTooManyRequests:
				shed++
			default:
				t.Fatalf("%s: after %v an answer of %d, %v", s, a.Due, a.Status, a.Err)
			}
		}
		t.Logf("%s: %d requests", s, len(answers))
	}
	if shed == 0 {
		t.Error("no request was shed")
	}
	offering(t, 20) // a hold is no time for more than can be carried

	const weights = `[{"op":"replace","path":"/spec/http/0/route/0/weight","value":%d},{"op":"replace","path":"/spec/http/0/route/1/weight","value":%d}]`
	edit := func(v1 int) {
		kubectl(t, "patch", "virtualservice", stack.Services[0], "--type=json", "-p", fmt.Sprintf(weights, v1, 100-v1))
	}
	edit(93)
	m := eventually(t, w, 20*time.Second, "a hold by the change of somebody else", func(m api.Mesh) bool { return m.Hold == loop.HoldDrift })
	t.Logf("held in cycle %d: %s %v", m.Cycle, m.Reason, m.Problems)
	time.Sleep(2 * interval)
	if h := get(t, virtualServices+"/"+stack.Services[0]); !strings.Contains(string(h.Spec), `"weight":93`) {
		t.Errorf("the change was overwritten: %s", h.Spec)
	}
	edit(50)
	eventually(t, w, 20*time.Second, "goes on", func(m api.Mesh) bool { return m.Hold != loop.HoldDrift })
	w.Stop(10 * time.Second)
	release(t, w)
	for _, s := range stack.Services {
		h := get(t, virtualServices+"/"+s)
		if after := h.theirs(t); after != before[s] || h.managed() {
			t.Errorf("after release\n%s\nbefore\n%s\n%s", after, before[s], h.managers(t))
		}
	}
}
