package istio

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines writes a patch as one operation a line: op path value.
func lines(t *testing.T, patch string) string {
	t.Helper()
	var ops []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(patch), &ops); err != nil {
		t.Fatalf("%v: %s", err, patch)
	}
	var out []string
	for _, o := range ops {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Op, o.Path, o.Value)))
	}
	return strings.Join(out, "\n")
}

const (
	version = "test /metadata/resourceVersion \"7\"\n"
	tests   = "test /spec/http/1/name \"information\"\n" +
		"test /spec/http/1/route/0/destination/subset \"v1\"\n" +
		"test /spec/http/1/route/1/destination/subset \"v2\"\n"
	weights37 = "add /spec/http/1/route/0/weight 30\nadd /spec/http/1/route/1/weight 70"
)

// baseline is the annotation that goes with front(weight(50), weight(50), "").
const baseline = `{"generation":3,"routes":[{"name":"information","weights":[{"destination":"v1","weight":50},{"destination":"v2","weight":50}],"abort":null}]}`

func annotated(value string) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// The exact operations: nothing else of an object with many owners is written.
func TestPatches(t *testing.T) {
	half := weight(50)
	taken := map[string]string{"other/key": "kept", BaselineAnnotation: baseline}
	known := func(fault string) string {
		return vs("front", taken, `{"name":"first"}`, httpRoute("information", half, half, fault))
	}
	had := strings.Replace(baseline, `"abort":null`, `"abort":{"percentage":{"value":1},"httpStatus":503}`, 1)
	hadAbort := func(fault string) string {
		return vs("front", map[string]string{BaselineAnnotation: had}, `{"name":"first"}`, httpRoute("information", half, half, fault))
	}
	unset := strings.ReplaceAll(strings.Replace(baseline, `"weight":50`, `"weight":null`, 1), `"weight":50`, `"weight":1`)
	const delay = `{"delay":{"fixedDelay":"1s"}`
	abort20 := `{"percentage":{"value":20},"httpStatus":429}`
	for _, tc := range []struct {
		name         string
		object       string
		v1, blocking float64 // negative: not in the action
		want         string
	}{
		{"weights, the first write", front(half, half, ""), .3, 0, version + `add /metadata/annotations {"windvane.io/baseline":` + annotated(baseline) + "}\n" + tests + weights37},
		{"beside annotations", vs("front", map[string]string{"a": "b"}, `{"name":"first"}`, httpRoute("information", half, half, "")), .3, -1, version + "add /metadata/annotations/windvane.io~1baseline " + annotated(baseline) + "\n" + tests + weights37},
		{"weights that are not set", front("", weight(1), ""), 0.99, -1, version + `add /metadata/annotations {"windvane.io/baseline":` + annotated(unset) + "}\n" + tests + "add /spec/http/1/route/0/weight 99\nadd /spec/http/1/route/1/weight 1"},
		{"weights, later", known(""), .3, 0, version + tests + weights37},
		{"all to one", known(""), 1, 0, version + tests + "add /spec/http/1/route/0/weight 100\nadd /spec/http/1/route/1/weight 0"},
		{"weights alone", known(""), .3, -1, version + tests + weights37},
		{"an abort where there is no fault", known(""), -1, .2, version + tests + `add /spec/http/1/fault {"abort":` + abort20 + "}"},
		{"an abort where the fault is null", known("null"), -1, .2, version + tests + `add /spec/http/1/fault {"abort":` + abort20 + "}"},
		{"an abort beside a delay", known(delay + "}"), .5, .2, version + tests + "add /spec/http/1/fault/abort " + abort20},
		{"another share", known(aborts(10, 429)), .5, .2, version + tests + "add /spec/http/1/fault/abort " + abort20},
		{"another status", known(aborts(20, 503)), .5, .2, version + tests + "add /spec/http/1/fault/abort " + abort20},
		{"a share without a percentage", known(`{"abort":{"httpStatus":429}}`), .5, .2, version + tests + "add /spec/http/1/fault/abort " + abort20},
		{"a status for gRPC", known(`{"abort":{"percentage":{"value":20},"grpcStatus":"UNAVAILABLE"}}`), .5, .2, version + tests + "add /spec/http/1/fault/abort " + abort20},
		{"the finest share", known(""), .5, .0000014, version + tests + `add /spec/http/1/fault {"abort":{"percentage":{"value":0.0001},"httpStatus":429}}`},
		{"a share in floating point", known(""), .5, .29, version + tests + `add /spec/http/1/fault {"abort":{"percentage":{"value":29},"httpStatus":429}}`},
		{"the abort off", known(aborts(20, 429)), .5, 0, version + tests + "remove /spec/http/1/fault"},
		{"the abort off, the delay stays", known(delay + `,"abort":` + abort20 + "}"), .5, 0, version + tests + "remove /spec/http/1/fault/abort"},
		{"the abort off where there had been one", hadAbort(aborts(20, 429)), .5, 0, version + tests + `add /spec/http/1/fault/abort {"percentage":{"value":0},"httpStatus":429}`},
		{"off already where there had been one", hadAbort(aborts(0, 429)), .5, 0, ""},
		{"both at once", known(""), .3, .2, version + tests + weights37 + "\n" + `add /spec/http/1/fault {"abort":` + abort20 + "}"},

		{"nothing differs", front(half, half, ""), .5, 0, ""},
		{"nothing differs, weights of another sum", front(weight(3), weight(7), ""), .3, 0, ""},
		{"nothing differs after rounding", front(weight(30), weight(70), ""), .3049, 0, ""},
		{"no abort and none wanted", known("{}"), .5, 0, ""},
		{"the same abort", known(aborts(20, 429)), .5, .2, ""},
		{"too fine a share to tell", known(""), .5, .0000004, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{objects: map[string]string{"default/front": tc.object}}
			a := actuator(t, c)
			if err := a.Apply(t.Context(), nil, set(information, tc.v1, tc.blocking), nil); err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(c.patches) > 0 {
				got = lines(t, c.patches[0])
			}
			if d := cmp.Diff(tc.want, got); d != "" || len(c.patches) > 1 {
				t.Errorf("%d patches, the first (-want +got):\n%s", len(c.patches), d)
			}
			if err := a.Apply(t.Context(), nil, set(information, tc.v1, tc.blocking), nil); err != nil || len(c.patches) > 1 {
				t.Errorf("applied again: %d patches, %v; want no more", len(c.patches), err)
			}
			// What is not windvane's is as it was.
			if s := c.objects["default/front"]; !strings.Contains(s, `"newField":{"of":"later"}`) || !strings.Contains(s, `"name":"first"`) {
				t.Errorf("lost what is not ours: %s", s)
			}
		})
	}
}

// The baseline is of before the first write, and a route that comes later is added to
// it as it then is.
func TestBaselineIsTakenOnce(t *testing.T) {
	compute := Route{Service: "compute", VirtualService: "default/front", HTTP: "compute", Destinations: []string{"v1", "v2"}}
	object := vs("front", nil, httpRoute("information", weight(50), weight(50), aborts(5, 503)), httpRoute("compute", weight(1), weight(3), ""))
	c := &cluster{objects: map[string]string{"default/front": object}}
	a := actuator(t, c)
	for _, v := range []float64{.3, .4, .5} {
		if err := a.Apply(t.Context(), nil, set(information, v, .1), nil); err != nil {
			t.Fatal(err)
		}
	}
	read := func() Baseline {
		t.Helper()
		v, err := parseView([]byte(c.objects["default/front"]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseBaseline(v.Metadata.Annotations[BaselineAnnotation])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n := func(v int64) *int64 { return &v }
	want := Baseline{Generation: 3, Routes: []BaselineRoute{{
		Name: "information", Weights: []BaselineWeight{{"v1", n(50)}, {"v2", n(50)}}, Abort: json.RawMessage(`{"percentage":{"value":5},"httpStatus":503}`),
	}}}
	if d := cmp.Diff(want, read()); d != "" {
		t.Errorf("baseline (-want +got):\n%s", d)
	}
	if err := actuator(t, c, information, compute).Apply(t.Context(), nil, set(compute, .5, -1), nil); err != nil {
		t.Fatal(err)
	}
	want.Routes = append(want.Routes, BaselineRoute{Name: "compute", Weights: []BaselineWeight{{"v1", n(1)}, {"v2", n(3)}}, Abort: json.RawMessage("null")})
	if d := cmp.Diff(want, read()); d != "" {
		t.Errorf("baseline with a second route (-want +got):\n%s", d)
	}
}

func TestABaselineThatCannotBeReadIsNotReplaced(t *testing.T) {
	object := vs("front", map[string]string{BaselineAnnotation: "{"}, httpRoute("information", weight(50), weight(50), ""))
	c := &cluster{objects: map[string]string{"default/front": object}}
	a := actuator(t, c)
	err := a.Apply(t.Context(), nil, set(information, .3, 0), nil)
	if err == nil || !strings.Contains(err.Error(), "VirtualService default/front: annotation windvane.io/baseline cannot be read; put its value right from the journal") {
		t.Errorf("Apply: %v", err)
	}
	if len(c.patches) > 0 {
		t.Errorf("patched: %v", c.patches)
	}
	if live, _, err := a.Live(t.Context()); err != nil || len(live) != 3 {
		t.Errorf("Live: %v, %v; want it to work all the same", live, err)
	}
}

// Destinations without subsets are known by their hosts.
func TestHosts(t *testing.T) {
	r := information
	r.Destinations = []string{"a.svc", "b.svc"}
	object := vs("front", map[string]string{BaselineAnnotation: baseline}, `{"name":"information","route":[{"destination":{"host":"b.svc"},"weight":100},{"destination":{"host":"a.svc"},"weight":0}]}`)
	c := &cluster{objects: map[string]string{"default/front": object}}
	if err := actuator(t, c, r).Apply(t.Context(), nil, set(r, .3, -1), nil); err != nil {
		t.Fatal(err)
	}
	want := version + `test /spec/http/0/name "information"
test /spec/http/0/route/0/destination/host "b.svc"
test /spec/http/0/route/1/destination/host "a.svc"
add /spec/http/0/route/0/weight 70
add /spec/http/0/route/1/weight 30`
	if d := cmp.Diff(want, lines(t, c.patches[0])); d != "" {
		t.Errorf("patch (-want +got):\n%s", d)
	}
}
