package istio

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/plugins/policy"
)

// delegate is a VirtualService without hosts, with somebody's label and annotation.
func delegate() string {
	o := vs("front", map[string]string{"their/own": "1"}, httpRoute("information", weight(50), weight(50), `{"delay":{"fixedDelay":"1s"}}`), `{"name":"other"}`)
	o = strings.Replace(o, `"hosts":["front"],`, `"exportTo":["."],`, 1)
	return strings.Replace(o, `{"kind"`, `{"apiVersion":"networking.istio.io/v1","kind"`, 1)
}

func owned() Route {
	r := information
	r.Owned = true
	return r
}

// The routes of a delegate are applied whole, as they were read but for the settings; what
// others have set in its metadata and beside the routes is not taken over.
func TestDelegateIsAppliedWhole(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": delegate()}}
	a := actuator(t, c, owned())
	action := set(information, .3, .2)
	known, err := a.Prepare(t.Context(), nil, action, nil)
	if err != nil || c.objects["default/front"] != delegate() || len(c.applied) != 1 {
		t.Fatalf("Prepare: %v, applied %v", err, c.applied)
	}
	if err := a.Apply(t.Context(), nil, action, known); err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"annotations":{"windvane.io/baseline":` + annotated(string(known[frontObject])) + `},` +
		`"name":"front","namespace":"default","resourceVersion":"7"},"spec":{"http":[` +
		`{"name":"information","newField":{"of":"later"},"route":[{"destination":{"host":"node","subset":"v1"},"weight":30},{"destination":{"host":"node","subset":"v2"},"weight":70}],` +
		`"fault":{"abort":{"percentage":{"value":20},"httpStatus":429},"delay":{"fixedDelay":"1s"}}},{"name":"other"}]}}`
	var wanted, got any
	if json.Unmarshal([]byte(want), &wanted) != nil || json.Unmarshal([]byte(c.applied[1]), &got) != nil || len(c.patches) > 0 {
		t.Fatalf("applied %v, patches %v", c.applied, c.patches)
	}
	if d := cmp.Diff(wanted, got); d != "" {
		t.Errorf("applied (-want +got):\n%s", d)
	}
	if live, _, err := a.Live(t.Context()); err != nil || !live.Equal(action, 1e-9) {
		t.Errorf("live %s, %v", text(live), err)
	}
	released := a.Release(t.Context(), actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{action}})
	if len(released) != 1 || released[0].Problem != "" || !released[0].Changed {
		t.Fatalf("%+v", released)
	}
	if d := cmp.Diff(tree(t, delegate()), tree(t, c.objects["default/front"])); d != "" {
		t.Errorf("released (-want +got):\n%s", d)
	}
}

// A release is no application of the whole: what has become of the delegate is not in its way.
func TestReleaseOfWhatIsNoDelegateAnyMore(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": delegate()}}
	a := actuator(t, c, owned())
	action := set(information, .3, .2)
	known, err := a.Prepare(t.Context(), nil, action, nil)
	if err == nil {
		err = a.Apply(t.Context(), nil, action, known)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.change("default/front", `[{"op":"add","path":"/spec/hosts","value":["front"]}]`); err != nil {
		t.Fatal(err)
	}
	if got := a.Release(t.Context(), actuate.ReleaseOptions{Known: known, Commanded: []policy.Action{action}}); len(got) != 1 || got[0].Problem != "" || !got[0].Changed {
		t.Fatalf("%+v", got)
	}
	want := strings.Replace(delegate(), `"exportTo"`, `"hosts":["front"],"exportTo"`, 1)
	if d := cmp.Diff(tree(t, want), tree(t, c.objects["default/front"])); d != "" {
		t.Errorf("released (-want +got):\n%s", d)
	}
}

// After a release windvane is no manager of fields any more: with what it had set still in its
// name the next apply of the owner would be a conflict.
func TestReleaseLeavesNoFieldManager(t *testing.T) {
	const theirs = `{"manager":"gitops","operation":"Apply","fieldsV1":{"f:metadata":{"f:labels":{}}}}`
	ours := `{"manager":"windvane","operation":"Apply","fieldsV1":{"f:spec":{"f:http":{}}}}`
	other := strings.Replace(ours, "Apply", "Update", 1)
	for name, tc := range map[string]struct{ managed, want, refusal string }{
		"among others":   {ours + "," + theirs + "," + other, `"managedFields":[` + theirs + `]`, ""},
		"not at all":     {theirs, `"managedFields":[` + theirs + `]`, ""},
		"nobody else is": {ours, `"managedFields":[` + ours + `]`, ""},
		"refused":        {ours + "," + theirs, `"managedFields":[` + ours + "," + theirs + `]`, "no"},
	} {
		c := &cluster{objects: map[string]string{"default/front": strings.Replace(front(weight(30), weight(70), ""), `"generation"`, `"managedFields":[`+tc.managed+`],"generation"`, 1)}}
		if tc.refusal != "" {
			c.refuse = func(n int) error {
				if n == 2 {
					return refusal(http.StatusForbidden, tc.refusal)
				}
				return nil
			}
		}
		known := map[string]json.RawMessage{frontObject: json.RawMessage(`{"routes":[{"name":"information","weights":[{"destination":"v1","weight":50},{"destination":"v2","weight":50}],"abort":null}]}`)}
		for _, dry := range []bool{true, false} {
			before := c.objects["default/front"]
			got := actuator(t, c).Release(t.Context(), actuate.ReleaseOptions{Known: known, DryRun: dry})
			if len(got) != 1 || (got[0].Problem == "") != (dry || tc.refusal == "") || !dry && !strings.Contains(got[0].Problem, tc.refusal) {
				t.Errorf("%s: %+v", name, got)
			}
			if dry && c.objects["default/front"] != before {
				t.Errorf("%s: a dry run made it %s", name, c.objects["default/front"])
			}
		}
		if !strings.Contains(c.objects["default/front"], tc.want) || !strings.Contains(c.objects["default/front"], `"weight":50`) {
			t.Errorf("%s: %s", name, c.objects["default/front"])
		}
	}
}

func TestDelegateConflicts(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": delegate()}}
	c.before = func(c *cluster, n int) {
		if n == 1 {
			if err := c.change("default/front", `[{"op":"add","path":"/spec/http/1/timeout","value":"9s"}]`); err != nil {
				t.Error(err)
			}
		}
	}
	if err := actuator(t, c, owned()).Apply(t.Context(), nil, set(information, .3, .2), nil); err != nil || len(c.applied) != 2 || !strings.Contains(c.objects["default/front"], `"timeout":"9s"`) {
		t.Errorf("%v, applied %d times: %s", err, len(c.applied), c.objects["default/front"])
	}
}

func TestWhatIsNoDelegateIsNotOwned(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	_, err := actuator(t, c, owned()).Prepare(t.Context(), nil, set(information, .3, .2), nil)
	if err == nil || !strings.Contains(err.Error(), `it has hosts or gateways (front), so that it is no delegate`) || len(c.applied) > 0 {
		t.Errorf("%v, applied %v", err, c.applied)
	}
	other := information
	other.HTTP = "other"
	if _, err := New(Options{Client: c, Routes: []Route{owned(), other}}); err == nil || !strings.Contains(err.Error(), "owned whole or not at all") {
		t.Errorf("one route owned, one shared: %v", err)
	}
}

func TestApplyRequest(t *testing.T) {
	var got string
	c := overHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("Content-Type")
	})
	if err := c.Apply(t.Context(), "ns", "front", []byte(`{}`), true); err != nil {
		t.Fatal(err)
	}
	want := "PATCH /apis/networking.istio.io/v1/namespaces/ns/virtualservices/front?dryRun=All&fieldManager=windvane&force=true application/apply-patch+yaml"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
