package istio

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/plugins/policy"
)

// tree is an object as JSON, without what the API server counts.
func tree(t testing.TB, object string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(object), &out); err != nil {
		t.Fatal(err)
	}
	meta := out["metadata"].(map[string]any)
	delete(meta, "resourceVersion")
	delete(meta, "generation")
	if a, ok := meta["annotations"].(map[string]any); ok && len(a) == 0 { // which the API server leaves out
		delete(meta, "annotations")
	}
	return out
}

func routes(o map[string]any) []any { return o["spec"].(map[string]any)["http"].([]any) }

// foreign is what somebody else does to an object between two actions of windvane: never to
// the fields that windvane owns.
func foreign(rng *rand.Rand) func(o map[string]any) {
	n := rng.IntN(1000)
	own := func(o map[string]any, f func(route map[string]any)) {
		for _, r := range routes(o) {
			if r := r.(map[string]any); r["name"] == "information" {
				f(r)
			}
		}
	}
	fault := func(r map[string]any) map[string]any {
		if r["fault"] == nil {
			r["fault"] = map[string]any{}
		}
		return r["fault"].(map[string]any)
	}
	meta := func(o map[string]any, name string) map[string]any {
		m := o["metadata"].(map[string]any)
		if m[name] == nil {
			m[name] = map[string]any{}
		}
		return m[name].(map[string]any)
	}
	return []func(o map[string]any){
		func(o map[string]any) { meta(o, "labels")["n"] = fmt.Sprint(n) },
		func(o map[string]any) { meta(o, "annotations")["their/own"] = fmt.Sprint(n) },
		func(o map[string]any) { own(o, func(r map[string]any) { r["timeout"] = fmt.Sprint(n, "ms") }) },
		func(o map[string]any) {
			own(o, func(r map[string]any) { fault(r)["delay"] = map[string]any{"fixedDelay": fmt.Sprint(n, "ms")} })
		},
		func(o map[string]any) {
			own(o, func(r map[string]any) {
				f := fault(r)
				if delete(f, "delay"); len(f) == 0 {
					delete(r, "fault")
				}
			})
		},
		func(o map[string]any) {
			spec := o["spec"].(map[string]any)
			spec["http"] = slices.Insert(routes(o), n%(len(routes(o))+1), any(map[string]any{"name": fmt.Sprint("theirs-", n)}))
		},
		func(o map[string]any) {
			own(o, func(r map[string]any) {
				r["route"].([]any)[n%2].(map[string]any)["headers"] = map[string]any{"n": float64(n)}
			})
		},
		func(o map[string]any) { o["spec"].(map[string]any)["hosts"] = []any{fmt.Sprint("host-", n)} },
	}[rng.IntN(8)]
}

// rewrite makes somebody else's change, as a new version.
func (c *cluster) rewrite(t testing.TB, name string, change func(o map[string]any)) {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(c.objects[name]), &o); err != nil {
		t.Fatal(err)
	}
	change(o)
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c.objects[name] = string(raw)
	if err := c.change(name, `[]`); err != nil {
		t.Fatal(err)
	}
}

// After 500 random actions with the changes of others in between, a release leaves what
// would be there had windvane never come: its own fields to the byte, theirs as they made them.
func TestReleaseRestoresExactlyWhatIsOwned(t *testing.T) {
	for i, object := range []string{
		front(weight(50), weight(50), ""),
		front("", weight(1), ""),
		front(weight(3), weight(7), `{"delay":{"fixedDelay":"1s"}}`),
		front(weight(100), weight(0), `{"abort":{"percentage":{"value":2.50},"httpStatus":503}}`),
		front(weight(50), weight(50), `{"abort":{"grpcStatus":"UNAVAILABLE","percentage":{"value":1}},"delay":{"fixedDelay":"1s"}}`),
		front(weight(20), weight(80), `{}`),
		vs("front", map[string]string{"a": "b"}, httpRoute("information", weight(50), weight(50), "")),
	} {
		rng := rand.New(rand.NewPCG(1000, uint64(i)))
		c := &cluster{objects: map[string]string{"default/front": object, "shadow/front": object}}
		a := actuator(t, c)
		known := map[string]json.RawMessage{}
		var commanded policy.Action
		actions := 60
		if i == 3 {
			actions = 500
		}
		for range actions {
			action := set(information, rng.Float64(), float64(rng.IntN(6))/5)
			fresh, err := a.Prepare(t.Context(), nil, action, known)
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			maps.Copy(known, fresh)
			if err := a.Apply(t.Context(), nil, action, known); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			commanded = action
			if rng.IntN(3) == 0 {
				edit := foreign(rng)
				c.rewrite(t, "default/front", edit)
				c.rewrite(t, "shadow/front", edit)
			}
		}
		// The journal is lost every other time: the annotation has to do.
		o := actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{policy.Quantise(commanded)}}
		from := actuate.FromJournal
		if i%2 == 1 {
			o, from = actuate.ReleaseOptions{}, actuate.FromAnnotation
		}
		got := a.Release(t.Context(), o)
		if len(got) != 1 || got[0].Problem != "" || !got[0].Changed || got[0].Baseline != from || len(got[0].Drift) > 0 {
			t.Fatalf("%d: %+v", i, got)
		}
		if d := cmp.Diff(tree(t, c.objects["shadow/front"]), tree(t, c.objects["default/front"])); d != "" {
			t.Errorf("%d: released (-as without windvane +got):\n%s", i, d)
		}
		if again := a.Release(t.Context(), o); again[0].Changed || again[0].Problem != "" {
			t.Errorf("%d: released again: %+v", i, again)
		}
	}
}

func TestReleaseRefusesOverDrift(t *testing.T) {
	for _, tc := range []struct{ name, edit, drift string }{
		{"a weight", `[{"op":"add","path":"/spec/http/1/route/0/weight","value":90},{"op":"add","path":"/spec/http/1/route/1/weight","value":10}]`, "route information: the weight of v1 is 90, windvane had set 30"},
		{"the abort", `[{"op":"add","path":"/spec/http/1/fault/abort/percentage/value","value":77}]`, "route information: 77 % of the requests are aborted, windvane had set 20"},
		{"a destination more", `[{"op":"add","path":"/spec/http/1/route/-","value":{"destination":{"host":"n","subset":"v3"},"weight":0}}]`, "route information: destination v3 is new"},
	} {
		c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
		a := actuator(t, c)
		action := set(information, .3, .2)
		known, err := a.Prepare(t.Context(), nil, action, nil)
		if err == nil {
			err = a.Apply(t.Context(), nil, action, known)
		}
		if err == nil {
			err = c.change("default/front", tc.edit)
		}
		if err != nil {
			t.Fatal(err)
		}
		o := actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{action}}
		before, sent := c.objects["default/front"], len(c.patches)
		got := a.Release(t.Context(), o)
		if len(got) != 1 || got[0].Changed || !strings.Contains(got[0].Problem, "others have changed") || !slices.Contains(got[0].Drift, tc.drift) || c.objects["default/front"] != before || len(c.patches) != sent {
			t.Errorf("%s: %+v, want drift %q and nothing written", tc.name, got, tc.drift)
		}
		o.Force = true
		if got = a.Release(t.Context(), o); !got[0].Changed || got[0].Problem != "" || len(got[0].Drift) == 0 {
			t.Errorf("%s, forced: %+v", tc.name, got)
		}
		if s := c.objects["default/front"]; strings.Contains(s, `"fault"`) || strings.Count(s, `"weight":50`) != 2 || strings.Contains(s, BaselineAnnotation) {
			t.Errorf("%s, forced: %s", tc.name, s)
		}
	}
}

// A share is written in steps of a millionth, which is no change of anybody's.
func TestReleaseKnowsItsOwnRounding(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	a := actuator(t, c)
	action := set(information, .5, 2./3)
	if err := a.Apply(t.Context(), nil, action, nil); err != nil {
		t.Fatal(err)
	}
	got := a.Release(t.Context(), actuate.ReleaseOptions{Commanded: []policy.Action{action}})
	if len(got) != 1 || got[0].Problem != "" || !got[0].Changed || strings.Contains(c.objects["default/front"], `"fault"`) {
		t.Errorf("%+v\n%s", got, c.objects["default/front"])
	}
}

// The command that a release prints does what the release does.
func TestReleaseSaysWhatKubectlWouldDo(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front("", weight(1), `{"delay":{"fixedDelay":"it's 1s"}}`)}}
	a := actuator(t, c)
	action := set(information, .3, .2)
	known, err := a.Prepare(t.Context(), nil, action, nil)
	if err == nil {
		err = a.Apply(t.Context(), nil, action, known)
	}
	if err != nil {
		t.Fatal(err)
	}
	written, sent := c.objects["default/front"], len(c.patches)
	dry := a.Release(t.Context(), actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{action}, DryRun: true})
	if c.objects["default/front"] != written || len(c.patches) != sent || len(dry[0].Kubectl) != 1 {
		t.Fatalf("dry run: %+v, %d patches", dry, len(c.patches)-sent)
	}
	if got := a.Release(t.Context(), actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{action}}); got[0].Problem != "" {
		t.Fatal(got[0].Problem)
	}
	const head = "kubectl -n default patch virtualservices.networking.istio.io front --type=json -p '"
	line, ok := strings.CutPrefix(dry[0].Kubectl[0], head)
	if !ok || !strings.HasSuffix(line, "'") {
		t.Fatalf("%s\nwant %s…", dry[0].Kubectl[0], head)
	}
	patch, err := jsonpatch.DecodePatch([]byte(strings.ReplaceAll(strings.TrimSuffix(line, "'"), `'\''`, "'")))
	if err != nil {
		t.Fatal(err)
	}
	by, err := patch.Apply([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tree(t, c.objects["default/front"]), tree(t, string(by))); d != "" {
		t.Errorf("kubectl (-release +kubectl):\n%s", d)
	}
}

func TestReleaseOfWhatIsNotThere(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	a := actuator(t, c)
	if got := a.Release(t.Context(), actuate.ReleaseOptions{}); len(got) != 1 || got[0].Baseline != "" || got[0].Changed || got[0].Problem != "" {
		t.Errorf("never written: %+v", got)
	}
	known := map[string]json.RawMessage{
		frontObject:                   json.RawMessage(`{"routes":[{"name":"gone","weights":[],"abort":null}]}`),
		"VirtualService default/back": json.RawMessage(`{"routes":[]}`),
		"Deployment default/a":        json.RawMessage(`{"replicas":1}`),
	}
	got := a.Release(t.Context(), actuate.ReleaseOptions{Known: known})
	if len(got) != 2 || !strings.Contains(got[0].Problem, "default/back does not exist") || !strings.Contains(got[1].Problem, `route "gone": spec.http has none of this name any more`) {
		t.Errorf("%+v", got)
	}
}
