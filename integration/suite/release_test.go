//go:build integration

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
)

// releaseActions is how many random actions are taken: RELEASE_TEST_ACTIONS, or ten.
func releaseActions(t *testing.T) int {
	n := 10
	if text := os.Getenv("RELEASE_TEST_ACTIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("RELEASE_TEST_ACTIONS: %v", err)
		}
	}
	return n
}

// pair is an object that windvane sets, and its twin, which it does not: others change both
// alike, so that the twin is what the object has to be after a release.
type pair struct {
	path  string // of the API, up to the object's name
	name  string
	edits []func(*rand.Rand, map[string]any)
}

const twin = "-twin"

// change has somebody change an object, of whichever version there is then.
func (p pair) change(ctx context.Context, suffix string, edit func(map[string]any)) error {
	for try := 0; ; try++ {
		text, err := shared.Do(ctx, http.MethodGet, p.path+p.name+suffix, "")
		if err != nil {
			return err
		}
		var o map[string]any
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return err
		}
		edit(o)
		raw, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if _, err = shared.Do(ctx, http.MethodPut, p.path+p.name+suffix, string(raw)); err == nil || try == 10 || !strings.Contains(err.Error(), "409 Conflict") {
			return err
		}
	}
}

// both changes object and twin by the same random edit.
func (p pair) both(ctx context.Context, seed uint64, edit func(*rand.Rand, map[string]any)) error {
	for _, suffix := range []string{"", twin} {
		if err := p.change(ctx, suffix, func(o map[string]any) { edit(rand.New(rand.NewPCG(seed, 0)), o) }); err != nil {
			return err
		}
	}
	return nil
}

// world is what the random actions are taken on.
type world struct {
	t      *testing.T
	random *rand.Rand
	group  actuate.Group
	routes *istio.Actuator
	scales *kube.Actuator
	pairs  []pair // two VirtualServices, the second one owned, and a Deployment

	known     map[string]json.RawMessage
	commanded policy.Action
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0))}
	client, err := shared.REST(windvane)
	if err != nil {
		t.Fatal(err)
	}
	o := istio.Options{Client: istio.NewClient(client)}
	const deployments = "/apis/apps/v1/namespaces/default/deployments/"
	for _, name := range []string{"patched", "applied"} {
		o.Routes = append(o.Routes, istio.Route{Service: name, VirtualService: "default/" + name, HTTP: name, Destinations: stack.Versions, Owned: name == "applied"})
		o.Blocking = append(o.Blocking, istio.Blocking{Service: name, Status: http.StatusTooManyRequests})
		w.pairs = append(w.pairs, pair{virtualServices + "/", name, virtualServiceEdits})
	}
	w.pairs = append(w.pairs, pair{deployments, "sized", deploymentEdits})
	if w.routes, err = istio.New(o); err != nil {
		t.Fatal(err)
	}
	if w.scales, err = kube.New(kube.Options{Client: kube.NewClient(client), Deployments: []string{"default/sized"}}); err != nil {
		t.Fatal(err)
	}
	w.group = actuate.Group{w.routes, w.scales}
	for _, p := range w.pairs {
		for _, suffix := range []string{"", twin} {
			manifest := delegate(p.name, "10s", 50, 50)
			if p.name == "sized" {
				manifest = sized
			}
			manifest = strings.Replace(manifest, "name: "+p.name+",", "name: "+p.name+suffix+",", 1)
			if p.name == "patched" {
				manifest += "  hosts: [patched.example]\n"
			}
			if err := shared.Apply(t.Context(), manifest); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if _, err := shared.Do(context.Background(), http.MethodDelete, p.path+p.name+suffix, ""); err != nil {
					t.Error(err)
				}
			})
		}
	}
	return w
}

const sized = `apiVersion: apps/v1
kind: Deployment
metadata: {name: sized, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: sized}}
  template:
    metadata: {labels: {app: sized}}
    spec: {containers: [{name: sized, image: windvane.example/sized}]}
`

// baselines are what windvane may find: weights in percent or not, or not set, and faults.
func (w *world) baselines() {
	weights := [][2]any{{50, 50}, {0, 100}, {nil, 100}, {1, 3}, {2, nil}, {33, 67}}
	faults := []any{
		nil, nil, nil,
		map[string]any{"delay": map[string]any{"fixedDelay": "2ms", "percentage": map[string]any{"value": 2}}},
		map[string]any{"abort": map[string]any{"httpStatus": 503, "percentage": map[string]any{"value": 0.5}}},
		map[string]any{"abort": map[string]any{"httpStatus": 503}},
	}
	for _, p := range w.pairs {
		if err := p.both(w.t.Context(), w.random.Uint64(), func(r *rand.Rand, o map[string]any) {
			if p.name == "sized" {
				spec(o)["replicas"] = r.IntN(5)
				return
			}
			route, pair := managed(o), weights[r.IntN(len(weights))]
			for i, d := range route["route"].([]any) {
				if d := d.(map[string]any); pair[i] == nil {
					delete(d, "weight")
				} else {
					d["weight"] = pair[i]
				}
			}
			if fault := faults[r.IntN(len(faults))]; fault == nil {
				delete(route, "fault")
			} else {
				route["fault"] = fault
			}
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// action is a random one; some knobs it leaves out.
func (w *world) action() policy.Action {
	var out policy.Action
	for _, name := range []string{"patched", "applied"} {
		if w.random.IntN(4) > 0 {
			out = append(out, slices.DeleteFunc(share(name, float64(w.random.IntN(21))/20, 0), func(s policy.Setting) bool { return s.Kind == policy.Blocking })...)
		}
		if w.random.IntN(4) > 0 {
			out = append(out, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Value: w.random.Float64() * float64(w.random.IntN(2))})
		}
	}
	if w.random.IntN(2) > 0 {
		out = append(out, policy.Setting{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/sized"}, Value: float64(w.random.IntN(9))})
	}
	out.Sort()
	return out
}

// act is a cycle: read, prepare, record, apply, while others may be at work.
func (w *world) act() {
	w.t.Helper()
	live, _, err := w.group.Live(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	want := w.action()
	found, err := w.group.Prepare(w.t.Context(), live, want, w.known)
	if err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(w.known, found)
	edited := make(chan error, 1)
	p, seed := w.pairs[w.random.IntN(len(w.pairs))], w.random.Uint64()
	edit := p.edits[w.random.IntN(len(p.edits))]
	go func() { edited <- p.both(w.t.Context(), seed, edit) }()
	if err := w.group.Apply(w.t.Context(), live, want, w.known); err != nil {
		w.t.Fatal(err)
	}
	if err := <-edited; err != nil {
		w.t.Fatal(err)
	}
	if w.commanded, _, err = w.group.Live(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range policy.Quantise(want) {
		if is, ok := w.commanded.Get(s.KnobID); !ok || !(is-s.Value < policy.Rounding && s.Value-is < policy.Rounding) {
			w.t.Fatalf("%s is %v, want %v", s.KnobID, is, s.Value)
		}
	}
}

// drift has somebody change what windvane has set, has that refuse it, and puts it back.
func (w *world) drift() {
	p := w.pairs[w.random.IntN(2)]
	if w.known["VirtualService default/"+p.name] == nil {
		return // windvane has not written it
	}
	change := func(to map[string]any) {
		if err := p.change(w.t.Context(), "", func(o map[string]any) {
			for i, d := range managed(o)["route"].([]any) {
				d.(map[string]any)["weight"] = to[fmt.Sprint(i)]
			}
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	v1, _ := w.commanded.Get(policy.KnobID{Kind: policy.Weight, Target: "default/" + p.name + "/" + p.name, Part: "v1"})
	base := get(w.t, p.path+p.name+twin)
	other := int(100*v1+50) % 100
	if strings.Contains(string(base.Spec), fmt.Sprintf(`"weight":%d`, other)) {
		return // somebody puts back what was there: no change that is in the way of a release
	}
	change(map[string]any{"0": other, "1": 100 - other})
	before := get(w.t, p.path+p.name)
	if err := w.group.Apply(w.t.Context(), w.commanded, share(p.name, v1/2+.01, 0), w.known); !errors.Is(err, actuate.ErrChanged) {
		w.t.Errorf("over a change of somebody's: %v", err)
	}
	released := w.routes.Release(w.t.Context(), actuate.ReleaseOptions{Known: w.known, Commanded: []policy.Action{w.commanded}, DryRun: true})
	for _, r := range released {
		if drift := r.Object == "VirtualService default/"+p.name; drift != (r.Problem != "") || drift && len(r.Drift) == 0 {
			w.t.Errorf("release with a change of somebody's at %s: %+v", p.name, r)
		}
	}
	if after := get(w.t, p.path+p.name); after.Metadata.ResourceVersion != before.Metadata.ResourceVersion {
		w.t.Errorf("it was written: %s", after.theirs(w.t))
	}
	change(map[string]any{"0": int(100*v1 + .5), "1": 100 - int(100*v1+.5)})
}

// release gives all back, from the journal or from the annotations, and holds it against the twins.
func (w *world) release() {
	o := actuate.ReleaseOptions{Commanded: []policy.Action{w.commanded}}
	if w.random.IntN(2) > 0 {
		o.Known = w.known
	}
	for _, o.DryRun = range []bool{true, false} {
		before := map[string]string{}
		for _, p := range w.pairs {
			before[p.name] = get(w.t, p.path+p.name).Metadata.ResourceVersion
		}
		released, err := actuate.Release(w.t.Context(), []actuate.Releaser{w.routes, w.scales}, o)
		if err != nil {
			w.t.Errorf("release: %v: %+v", err, released)
		}
		for _, p := range w.pairs {
			after := get(w.t, p.path+p.name)
			if o.DryRun {
				if after.Metadata.ResourceVersion != before[p.name] {
					w.t.Errorf("%s: written in a dry run", p.name)
				}
				continue
			}
			if want := strings.ReplaceAll(get(w.t, p.path+p.name+twin).theirs(w.t), p.name+twin, p.name); after.theirs(w.t) != want {
				w.t.Errorf("%s after release (from the journal: %v)\n%s\nwant\n%s", p.name, o.Known != nil, after.theirs(w.t), want)
			}
			if after.managed() {
				w.t.Errorf("%s: windvane still has fields: %s", p.name, after.managers(w.t))
			}
		}
	}
}

// After random actions, while others change what is not windvane's, a release gives back
// to the byte what there would be without windvane.
func TestReleaseAfterRandomActions(t *testing.T) {
	w := newWorld(t, 1002)
	releases := 0
	for left := releaseActions(t); left > 0 && !t.Failed(); releases++ {
		w.known = map[string]json.RawMessage{}
		w.baselines()
		for range min(left, 1+w.random.IntN(4)) {
			w.act()
			left--
		}
		if w.random.IntN(2) > 0 {
			w.drift()
		}
		w.release()
	}
	t.Logf("%d actions, %d releases", releaseActions(t), releases)
}
