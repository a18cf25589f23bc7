package testbed_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate"       //nolint:depguard // the testbed is for the daemon's own clients, and only tests know both
	"github.com/windvane/windvane/daemon/actuate/istio" //nolint:depguard // likewise
	"github.com/windvane/windvane/daemon/actuate/kube"  //nolint:depguard // likewise
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

// actuators are the daemon's, for all knobs of shop.
func actuators(t testing.TB, client istio.Client, r rest.Interface) actuate.Group {
	t.Helper()
	o := istio.Options{Client: client}
	for _, n := range names {
		o.Routes = append(o.Routes, istio.Route{Service: n, VirtualService: "default/front", HTTP: n, Destinations: []string{"v1", "v2"}})
		o.Blocking = append(o.Blocking, istio.Blocking{Service: n, Status: http.StatusTooManyRequests})
	}
	routes, err := istio.New(o)
	if err != nil {
		t.Fatal(err)
	}
	replicas, err := kube.New(kube.Options{Client: kube.NewClient(r), Deployments: []string{"default/node-v1", "default/node-v2"}})
	if err != nil {
		t.Fatal(err)
	}
	return actuate.Group{routes, replicas}
}

// action is a full set of settings: the weight of v1 and the blocking of each service,
// and the replicas of each version.
func action(weights, blocking [2]float64, replicas [2]int) policy.Action {
	var a policy.Action
	for i, n := range names {
		target := "default/front/" + n
		a = append(a,
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Weight, Target: target, Part: "v1"}, Value: weights[i]},
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Weight, Target: target, Part: "v2"}, Value: 1 - weights[i]},
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: n}, Value: blocking[i]})
	}
	for i, n := range []string{"default/node-v1", "default/node-v2"} {
		a = append(a, policy.Setting{KnobID: policy.KnobID{Kind: policy.Replicas, Target: n}, Value: float64(replicas[i])})
	}
	a.Sort()
	return a
}

func live(t testing.TB, a actuate.Group) policy.Action {
	t.Helper()
	got, _, err := a.Live(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func put(t testing.TB, a actuate.Group, want policy.Action) {
	t.Helper()
	if err := a.Apply(context.Background(), nil, want, nil); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsComeIntoForceAfterTheSettleTime(t *testing.T) {
	o := options(20)
	o.SettleSeconds = 2
	bed := start(t, o)
	r := kubernetes(t, bed)
	a := actuators(t, istio.NewClient(r), r)
	advance(t, bed, 10*time.Second)
	before := bed.Settings()
	want := action([2]float64{.75, 0}, [2]float64{.25, 0}, [2]int{3, 0})
	put(t, a, want)
	if d := cmp.Diff(want, live(t, a)); d != "" {
		t.Errorf("the objects (-want +got):\n%s", d)
	}
	advance(t, bed, 1999*time.Millisecond)
	if d := cmp.Diff(before, bed.Settings()); d != "" {
		t.Errorf("in force before the settle time:\n%s", d)
	}
	advance(t, bed, time.Millisecond)
	inForce := emulator.Settings{Weights: [][]float64{{.75, .25}, {0, 1}}, Blocking: []float64{.25, 0}, Replicas: []int{3, 0}}
	if d := cmp.Diff(inForce, bed.Settings()); d != "" {
		t.Errorf("after the settle time (-want +got):\n%s", d)
	}
	put(t, a, action([2]float64{0, 1}, [2]float64{0, 0}, [2]int{1, 1}))
	advance(t, bed, 2*time.Second)
	inForce = emulator.Settings{Weights: [][]float64{{0, 1}, {1, 0}}, Blocking: []float64{0, 0}, Replicas: []int{1, 1}}
	if d := cmp.Diff(inForce, bed.Settings()); d != "" {
		t.Errorf("changed back (-want +got):\n%s", d)
	}
}

// What windvane does not own stays as it was written, to the digit.
func TestForeignFieldsStay(t *testing.T) {
	bed := start(t, options(20))
	r := kubernetes(t, bed)
	do(t, r.Patch(types.MergePatchType).AbsPath(frontPath).Body([]byte(`{"metadata":{"labels":{"team":"shop"},"finalizers":["x/y"]},"spec":{"gateways":["mesh"],"newField":1.50}}`)))
	do(t, jsonPatch(r, frontPath, `[{"op":"add","path":"/spec/http/0/retries","value":{"attempts":0,"perTryTimeout":"2s"}},
		{"op":"add","path":"/spec/http/0/route/1/headers","value":{"request":{"set":{"a":"b"}}}},
		{"op":"add","path":"/spec/http/0/fault","value":{"delay":{"fixedDelay":"0.1s","percentage":{"value":1.0}}}},
		{"op":"add","path":"/spec/http/-","value":{"name":"other","route":[{"destination":{"host":"other"}}]}}]`))
	before := do(t, r.Get().AbsPath(frontPath))
	a := actuators(t, istio.NewClient(r), r)
	put(t, a, action([2]float64{1, .5}, [2]float64{.1, 0}, [2]int{2, 2}))
	after := do(t, r.Get().AbsPath(frontPath))
	for path, want := range map[string]string{
		"spec.http.0.route.0.weight":               "100",
		"spec.http.0.route.1.weight":               "0",
		"spec.http.0.fault.abort.percentage.value": "10",
		"spec.http.0.fault.abort.httpStatus":       "429",
	} {
		if got := at(after, path); fmt.Sprint(got) != want {
			t.Errorf("%s is %v, want %s", path, got, want)
		}
	}
	// Put back what was to change: nothing else differs.
	metadata := after["metadata"].(map[string]any)
	delete(metadata, "annotations")
	for _, k := range []string{"resourceVersion", "generation"} {
		metadata[k] = at(before, "metadata."+k)
	}
	for i := range 2 {
		at(after, "spec.http.0.route").([]any)[i].(map[string]any)["weight"] = at(before, "spec.http.0.route").([]any)[i].(map[string]any)["weight"]
	}
	delete(at(after, "spec.http.0.fault").(map[string]any), "abort")
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("beside weights and abort (-before +after):\n%s", d)
	}
}

// meddler changes the object between the actuator's read and its write.
type meddler struct {
	istio.Client
	times  int
	change func()
}

func (m *meddler) Patch(ctx context.Context, namespace, name string, patch []byte, dryRun bool) error {
	if m.times > 0 {
		m.times--
		m.change()
	}
	return m.Client.Patch(ctx, namespace, name, patch, dryRun)
}

func TestActuatorsMeetConflicts(t *testing.T) {
	bed := start(t, options(20))
	r := kubernetes(t, bed)
	n := 0
	change := func() {
		n++
		do(t, r.Patch(types.MergePatchType).AbsPath(frontPath).Body([]byte(`{"metadata":{"annotations":{"n":"`+strings.Repeat("x", n)+`"}}}`)))
	}
	m := &meddler{Client: istio.NewClient(r), times: 2, change: change}
	a := actuators(t, m, r)
	want := action([2]float64{.3, .4}, [2]float64{0, .2}, [2]int{2, 2})
	put(t, a, want)
	if d := cmp.Diff(want, live(t, a)); d != "" || n != 2 {
		t.Errorf("after %d conflicts (-want +got):\n%s", n, d)
	}
	m.times = 100
	err := a.Apply(context.Background(), nil, action([2]float64{.5, .5}, [2]float64{0, 0}, [2]int{2, 2}), nil)
	if err == nil || !strings.Contains(err.Error(), istio.ErrConflict.Error()) {
		t.Errorf("against somebody who never stops: %v, want %v", err, istio.ErrConflict)
	}
	if d := cmp.Diff(want, live(t, a)); d != "" {
		t.Errorf("a conflict wrote something (-want +got):\n%s", d)
	}
}

func TestActuatorsMeetFaults(t *testing.T) {
	bed := start(t, options(20))
	r := kubernetes(t, bed)
	a := actuators(t, istio.NewClient(r), r)
	before := live(t, a)
	bed.Fail(testbed.Faults{Kubernetes: true})
	if _, _, err := a.Live(context.Background()); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("live: %v, want the server's words", err)
	}
	if err := a.Apply(context.Background(), nil, action([2]float64{1, 1}, [2]float64{1, 1}, [2]int{9, 9}), nil); err == nil {
		t.Error("apply: no error")
	}
	bed.Fail(testbed.Faults{})
	if d := cmp.Diff(before, live(t, a)); d != "" {
		t.Errorf("something was written while the server was down:\n%s", d)
	}
}
