package testbed_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

func TestObjects(t *testing.T) {
	o := options(20)
	o.Initial = emulator.Settings{Weights: [][]float64{{2, 1}, {1, 0}}, Blocking: []float64{0, .29}, Replicas: []int{3, 0}}
	bed := start(t, o)
	k := kubernetes(t, bed)
	vs := do(t, k.Get().AbsPath(frontPath))
	scale := do(t, k.Get().AbsPath(scalePath))
	empty := do(t, k.Get().AbsPath(strings.Replace(scalePath, "v1/scale", "v2/scale", 1)))
	for _, c := range []struct {
		doc  map[string]any
		path string
		want string
	}{
		{vs, "apiVersion", "networking.istio.io/v1"},
		{vs, "kind", "VirtualService"},
		{vs, "metadata.name", "front"},
		{vs, "metadata.creationTimestamp", "2026-03-01T12:00:00Z"},
		{vs, "spec.http.0.name", "information"},
		{vs, "spec.http.0.route.0.destination.subset", "v1"},
		{vs, "spec.http.0.route.0.weight", "67"},
		{vs, "spec.http.0.route.1.weight", "33"},
		{vs, "spec.http.0.fault", "<nil>"},
		{vs, "spec.http.0.timeout", "1s"},
		{vs, "spec.http.0.match.0.headers." + testbed.RouteHeader + ".exact", "information"},
		{vs, "spec.http.1.route.0.weight", "100"},
		{vs, "spec.http.1.route.1.weight", "0"}, // written, as a weight that is not there reads the same
		{vs, "spec.http.1.fault.abort.percentage.value", "29"},
		{vs, "spec.http.1.fault.abort.httpStatus", "429"},
		{scale, "kind", "Scale"},
		{scale, "apiVersion", "autoscaling/v1"},
		{scale, "spec.replicas", "3"},
		{scale, "status.replicas", "3"},
		{scale, "status.selector", "app=node-v1"},
		{empty, "spec.replicas", "<nil>"}, // the API server leaves out a 0
		{empty, "status.replicas", "0"},
	} {
		if got := fmt.Sprint(at(c.doc, c.path)); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	want := emulator.Settings{Weights: [][]float64{{.67, .33}, {1, 0}}, Blocking: []float64{0, .29}, Replicas: []int{3, 0}}
	if d := cmp.Diff(want, bed.Settings(), cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })); d != "" {
		t.Errorf("the emulator starts with other settings than the objects (-want +got):\n%s", d)
	}
}

func TestLists(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	for path, want := range map[string][]string{
		"/apis/apps/v1/deployments":                                 {"node-v1", "node-v2"},
		"/apis/apps/v1/namespaces/default/deployments":              {"node-v1", "node-v2"},
		"/apis/apps/v1/namespaces/def/deployments":                  nil,
		"/apis/networking.istio.io/v1/virtualservices":              {"front"},
		"/apis/networking.istio.io/v1/namespaces/x/virtualservices": nil,
	} {
		list := do(t, k.Get().AbsPath(path))
		var got []string
		for _, item := range list["items"].([]any) {
			got = append(got, fmt.Sprint(at(item, "metadata.name")))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
		if !strings.HasSuffix(fmt.Sprint(list["kind"]), "List") || at(list, "metadata.resourceVersion") == nil {
			t.Errorf("%s: %v is no list", path, list)
		}
	}
	for path, key := range map[string]string{
		"/version": "gitVersion", "/api": "versions", "/apis": "groups",
		"/apis/apps/v1": "resources", "/apis/networking.istio.io/v1": "resources",
	} {
		if got := do(t, k.Get().AbsPath(path)); got[key] == nil {
			t.Errorf("%s has no %s: %v", path, key, got)
		}
	}
}

func TestUnknownObjects(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	for path, message := range map[string]string{
		strings.Replace(frontPath, "front", "back", 1):          `virtualservices.networking.istio.io "back" not found`,
		strings.Replace(frontPath, "default", "other", 1):       `virtualservices.networking.istio.io "front" not found`,
		strings.Replace(scalePath, "node-v1", "node-v9", 1):     `deployments.apps "node-v9" not found`,
		"/apis/apps/v1/namespaces/default/statefulsets/node-v1": "could not find the requested resource",
	} {
		s := refusal(t, k.Get().AbsPath(path))
		if s.Code != http.StatusNotFound || s.Reason != metav1.StatusReasonNotFound || !strings.Contains(s.Message, message) {
			t.Errorf("%s: %+v, want 404 with %q", path, s, message)
		}
	}
	patch := refusal(t, jsonPatch(k, strings.Replace(frontPath, "front", "back", 1), `[]`))
	put := refusal(t, k.Put().AbsPath(strings.Replace(scalePath, "node-v1", "node-v9", 1)).Body([]byte(`{}`)))
	if patch.Code != http.StatusNotFound || put.Code != http.StatusNotFound {
		t.Errorf("patch %+v, put %+v, want 404", patch, put)
	}
	if s := refusal(t, k.Delete().AbsPath(frontPath)); s.Code != http.StatusMethodNotAllowed {
		t.Errorf("delete: %+v, want 405", s)
	}
}

// A patch that does not apply, a test in it that fails and content that does not
// validate are told apart as the API server does it.
func TestPatchRefusals(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	before := do(t, k.Get().AbsPath(frontPath))
	weight := func(i int, v any) string {
		return fmt.Sprintf(`[{"op":"add","path":"/spec/http/0/route/%d/weight","value":%v}]`, i, v)
	}
	abort := func(v string) string {
		return `[{"op":"add","path":"/spec/http/0/fault","value":{"abort":` + v + `}}]`
	}
	const rejected = "the server rejected our request" // all that the API server says, whichever operation failed
	for _, c := range []struct {
		patch string
		code  int32
		want  string
	}{
		{`[{"op":"test","path":"/metadata/resourceVersion","value":"1"}]`, 422, rejected},
		{`[{"op":"test","path":"/spec/http/0/name","value":"compute"}]`, 422, rejected},
		{`[{"op":"remove","path":"/spec/http/0/fault"}]`, 422, rejected},
		{`[{"op":"replace","path":"/metadata/resourceVersion","value":"1"},{"op":"add","path":"/spec/x","value":1}]`, 409, "the object has been modified"},
		{`[{"op":"replace","path":"/metadata/name","value":"x"}]`, 422, "field is immutable"},
		{`[{"op":"replace","path":"/kind","value":"x"}]`, 400, "kind"},
		{`[{"op":"replace","path":"","value":[]}]`, 400, "not a JSON object"},
		{`{`, 400, ""},
		{weight(0, -1), 400, "weight -1 < 0"},
		{weight(0, 33.5), 400, "33.5"},
		{weight(0, `"33"`), 400, "weight"},
		{`[{"op":"add","path":"/spec/http/0/route/0/weight","value":0},{"op":"add","path":"/spec/http/0/route/1/weight","value":0}]`, 400, "total destination weight = 0"},
		{`[{"op":"add","path":"/spec/http/0/route/0/destination/subset","value":"v9"}]`, 400, `no destination with subset "v9"`},
		{`[{"op":"remove","path":"/spec/http/0"}]`, 400, "no route named information"},
		{abort(`{"percentage":{"value":101},"httpStatus":429}`), 400, "must be in range 0..100"},
		{abort(`{"percentage":{"value":-1},"httpStatus":429}`), 400, "must be in range 0..100"},
		{abort(`{"percentage":{"value":10}}`), 400, "fault.abort.httpStatus is 0"},
		{abort(`{"percentage":{"value":10},"httpStatus":503}`), 400, "the emulator answers 429 only"},
	} {
		s := refusal(t, jsonPatch(k, frontPath, c.patch))
		if s.Code != c.code || !strings.Contains(s.Message, c.want) {
			t.Errorf("%s: %d %s\nwant %d with %q", c.patch, s.Code, s.Message, c.code, c.want)
		}
	}
	if s := refusal(t, k.Patch(types.StrategicMergePatchType).AbsPath(frontPath).Body([]byte(`{}`))); s.Code != http.StatusUnsupportedMediaType {
		t.Errorf("strategic merge patch: %+v, want 415 as for any custom resource", s)
	}
	if s := refusal(t, jsonPatch(k, frontPath, `[]`+strings.Repeat(" ", 4<<20))); s.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 4 MiB: %+v, want 413", s)
	}
	if s := refusal(t, jsonPatch(k, frontPath, `[]`).Param("dryRun", "Some")); s.Code != http.StatusBadRequest {
		t.Errorf("dryRun=Some: %+v, want 400", s)
	}
	if d := cmp.Diff(before, do(t, k.Get().AbsPath(frontPath))); d != "" {
		t.Errorf("a refused patch changed the object:\n%s", d)
	}
}

func TestVersions(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	state := func(doc map[string]any) string {
		return fmt.Sprint(at(doc, "metadata.resourceVersion"), " ", at(doc, "metadata.generation"))
	}
	first := do(t, k.Get().AbsPath(frontPath))
	same := do(t, jsonPatch(k, frontPath, `[{"op":"test","path":"/metadata/resourceVersion","value":"`+fmt.Sprint(at(first, "metadata.resourceVersion"))+`"}]`))
	noted := do(t, k.Patch(types.MergePatchType).AbsPath(frontPath).Body([]byte(`{"metadata":{"annotations":{"note":"x"},"generation":99}}`)))
	dry := do(t, jsonPatch(k, frontPath, `[{"op":"add","path":"/spec/gateways","value":["mesh"]}]`).Param("dryRun", "All"))
	after := do(t, k.Get().AbsPath(frontPath))
	spec := do(t, jsonPatch(k, frontPath, `[{"op":"add","path":"/spec/gateways","value":["mesh"]}]`))
	scaled := do(t, k.Patch(types.MergePatchType).AbsPath(scalePath).Body([]byte(`{"spec":{"replicas":4}}`)))
	list := do(t, k.Get().AbsPath("/apis/networking.istio.io/v1/virtualservices"))
	if state(first) != "1001 1" || state(same) != state(first) || state(noted) != "1004 1" || state(after) != state(noted) || state(spec) != "1005 2" {
		t.Errorf("version and generation: %s, untouched %s, annotated %s, after a dry run %s, changed %s",
			state(first), state(same), state(noted), state(after), state(spec))
	}
	if fmt.Sprint(at(dry, "spec.gateways")) != "[mesh]" || at(after, "spec.gateways") != nil {
		t.Errorf("dry run answers %v and leaves %v", at(dry, "spec"), at(after, "spec"))
	}
	if a, b := fmt.Sprint(at(scaled, "metadata.resourceVersion")), fmt.Sprint(at(list, "metadata.resourceVersion")); a != "1006" || a != b {
		t.Errorf("the last version is %s in the object and %s in a list, want 1006", a, b)
	}
}

func TestScaleRefusals(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	scale := func(name, version string, replicas any) []byte {
		return fmt.Appendf(nil, `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":%q,"namespace":"default","resourceVersion":%q},"spec":{"replicas":%v}}`, name, version, replicas)
	}
	for _, c := range []struct {
		body []byte
		code int32
		want string
	}{
		{scale("node-v1", "999", 5), 409, "the object has been modified"},
		{scale("node-v2", "", 5), 400, "does not match the name on the URL"},
		{scale("node-v1", "", -1), 422, "must be greater than or equal to 0"},
		{scale("node-v1", "", 1.5), 400, "replicas"},
		{[]byte("{"), 400, ""},
		{[]byte("null"), 400, "does not match"},
	} {
		s := refusal(t, k.Put().AbsPath(scalePath).SetHeader("Content-Type", "application/json").Body(c.body))
		if s.Code != c.code || !strings.Contains(s.Message, c.want) {
			t.Errorf("%s: %d %s\nwant %d with %q", c.body, s.Code, s.Message, c.code, c.want)
		}
	}
	dry := do(t, k.Put().AbsPath(scalePath).Param("dryRun", "All").Body(scale("node-v1", "", 7)))
	if got := do(t, k.Get().AbsPath(scalePath)); fmt.Sprintf("%v %v", at(dry, "spec.replicas"), at(got, "spec.replicas")) != "7 2" {
		t.Errorf("dry run answers %v and leaves %v, want 7 and 2", at(dry, "spec"), at(got, "spec"))
	}
	do(t, k.Put().AbsPath(scalePath).Body(scale("node-v1", "", 0))) // no version: whatever it is now
	do(t, k.Patch(types.MergePatchType).AbsPath(scalePath).Body([]byte(`{"spec":{"replicas":6}}`)))
	deployment := do(t, k.Get().AbsPath(strings.TrimSuffix(scalePath, "/scale")))
	if got := fmt.Sprintf("%v %v %v", at(deployment, "spec.replicas"), at(deployment, "status.readyReplicas"), at(deployment, "metadata.generation")); got != "6 6 3" {
		t.Errorf("replicas, ready and generation: %s, want 6 6 3", got)
	}
}

func TestKubernetesFaults(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	bed.Fail(testbed.Faults{Kubernetes: true})
	for _, path := range []string{frontPath, scalePath, "/version"} {
		if s := refusal(t, k.Get().AbsPath(path)); s.Code != http.StatusServiceUnavailable || s.Reason != metav1.StatusReasonServiceUnavailable {
			t.Errorf("%s: %+v, want 503", path, s)
		}
	}
	const patch = `[{"op":"add","path":"/spec/gateways","value":["mesh"]}]`
	if s := refusal(t, jsonPatch(k, frontPath, patch)); s.Code != http.StatusServiceUnavailable {
		t.Errorf("patch: %+v, want 503", s)
	}
	bed.Fail(testbed.Faults{})
	if got := do(t, k.Get().AbsPath(frontPath)); at(got, "spec.gateways") != nil {
		t.Error("a patch answered 503 was applied")
	}
	if err := jsonPatch(k, frontPath, patch).Do(context.Background()).Error(); err != nil {
		t.Errorf("healed: %v", err)
	}
}
