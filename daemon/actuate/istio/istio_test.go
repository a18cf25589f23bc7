package istio

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

var compute = Route{Service: "compute", VirtualService: "default/back", HTTP: "compute", Destinations: []string{"v1", "v2"}}

func TestLive(t *testing.T) {
	half := weight(50)
	for _, tc := range []struct{ name, object, want string }{
		{"as written", front(weight(30), weight(70), aborts(20, 429)), "blocking:information=0.2 weight:default/front/information:v1=0.3 weight:default/front/information:v2=0.7"},
		{"another sum", front(weight(1), weight(3), ""), "blocking:information=0 weight:default/front/information:v1=0.25 weight:default/front/information:v2=0.75"},
		{"a weight that is not set", front("", weight(1), ""), "blocking:information=0 weight:default/front/information:v1=0 weight:default/front/information:v2=1"},
		{"no percentage", front(half, half, `{"abort":{"httpStatus":429}}`), "blocking:information=0 weight:default/front/information:v1=0.5 weight:default/front/information:v2=0.5"},
		{"an abort of another's", front(half, half, aborts(100, 503)), "blocking:information=1 weight:default/front/information:v1=0.5 weight:default/front/information:v2=0.5"},
		{"a delay only", front(half, half, `{"delay":{"fixedDelay":"1s"},"abort":null}`), "blocking:information=0 weight:default/front/information:v1=0.5 weight:default/front/information:v2=0.5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{objects: map[string]string{"default/front": tc.object}}
			live, _, err := actuator(t, c).Live(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, text(live)); d != "" {
				t.Errorf("live (-want +got):\n%s", d)
			}
		})
	}
}

// What cannot be read is an error that says what to do, from Live and from Apply, and
// nothing is written.
func TestWhatTheObjectLacks(t *testing.T) {
	half := weight(50)
	good := httpRoute("information", half, half, "")
	with := func(routes ...string) string { return vs("front", nil, routes...) }
	route := func(destinations string) string { return with(`{"name":"information","route":[` + destinations + `]}`) }
	v1 := `{"destination":{"host":"n","subset":"v1"},"weight":100}`
	for _, tc := range []struct{ name, object, want string }{
		{"no object", "", "VirtualService default/front does not exist; create it, or correct `virtual_service` in the rules file: not found"},
		{"no JSON", "{", "the API server's answer: unexpected end of JSON input"},
		{"no version", `{"kind":"Status"}`, "the API server's answer has no metadata.resourceVersion"},
		{"no route", with(), `route "information": spec.http has none of this name (it has [] and 0 without a name); name the route there, or correct ` + "`http` in the rules file"},
		{"another name", with(httpRoute("info", half, half, "")), `spec.http has none of this name (it has [info] and 0 without a name)`},
		{"unnamed", with(strings.Replace(good, `"name":"information",`, "", 1), "{}"), `spec.http has none of this name (it has [] and 2 without a name)`},
		{"twice", with(good, good), `route "information": spec.http has two of this name; give them different names`},
		{"a delegate", with(`{"name":"information","delegate":{"name":"d"}}`), `it has 0 destinations; weights need at least 2: add one, with weight 0`},
		{"one destination", route(v1), `it has 1 destinations; weights need at least 2: add one, with weight 0`},
		{"the same destination twice", route(v1 + "," + v1), `two destinations are called "v1"; give them different subsets`},
		{"others", route(v1 + "," + strings.Replace(v1, "v1", "v3", 1)), "its destinations are [v1 v3], the rules file has [v1 v2]; name all of them in `destinations`"},
		{"one more", route(v1 + "," + strings.Replace(v1, "v1", "v2", 1) + "," + strings.Replace(v1, "v1", "v3", 1)), "its destinations are [v1 v2 v3], the rules file has [v1 v2]"},
		{"no weights", with(httpRoute("information", "", weight(0), "")), "all of its weights are 0; set one, or put blocking in their place"},
		{"a negative weight", with(httpRoute("information", weight(-1), half, "")), `destination "v1" has a weight of -1; correct it to 0 to 100`},
		{"an abort that is none", with(httpRoute("information", half, half, `{"abort":[]}`)), "fault.abort: json: cannot unmarshal array"},
		{"a percentage that is none", with(httpRoute("information", half, half, aborts(101, 429))), "fault.abort: a percentage of 101; correct it to 0 to 100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{objects: map[string]string{}}
			if tc.object != "" {
				c.objects["default/front"] = tc.object
			}
			a := actuator(t, c)
			if live, _, err := a.Live(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "istio: VirtualService default/front") || !strings.Contains(err.Error(), tc.want) || live != nil {
				t.Errorf("Live: %v, %v\nwant %s", live, err, tc.want)
			}
			if err := a.Apply(t.Context(), nil, set(information, .3, .1), nil); err == nil || !strings.HasPrefix(err.Error(), "istio: VirtualService default/front") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Apply: %v\nwant %s", err, tc.want)
			}
			if len(c.patches) > 0 {
				t.Errorf("patched: %v", c.patches)
			}
		})
	}
}

// A service on two routes has one blocking, or none that can be read.
func TestBlockingOnSeveralRoutes(t *testing.T) {
	second := Route{Service: "information", VirtualService: "default/back", HTTP: "also", Destinations: []string{"v1", "v2"}}
	c := &cluster{objects: map[string]string{
		"default/front": front(weight(50), weight(50), aborts(20, 429)),
		"default/back":  vs("back", nil, httpRoute("also", weight(10), weight(90), "")),
	}}
	a := actuator(t, c, information, second)
	_, _, err := a.Live(t.Context())
	if _, ok := errors.AsType[*DisagreementError](err); !ok {
		t.Fatalf("Live: %v, want a DisagreementError", err)
	}
	want := "istio: the routes of information block different shares (default/back/also 0, default/front/information 0.2); give them the same fault.abort, or none"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := a.Apply(t.Context(), nil, set(information, -1, .3), nil); err != nil {
		t.Fatal(err)
	}
	live, _, err := a.Live(t.Context())
	if v, ok := live.Get(policy.KnobID{Kind: policy.Blocking, Target: "information"}); err != nil || !ok || v != .3 || len(live) != 5 {
		t.Errorf("Live after Apply: %s, %v; want blocking .3 and four weights", text(live), err)
	}
}

func TestApplyRefusesBeforeItWrites(t *testing.T) {
	nan := math.NaN()
	id := func(part string) policy.KnobID {
		return policy.KnobID{Kind: policy.Weight, Target: "default/front/information", Part: part}
	}
	for _, tc := range []struct {
		name string
		want policy.Action
		err  string
	}{
		{"another mesh's", policy.Action{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "x"}}}, "blocking:x is not a knob of this mesh"},
		{"replicas", policy.Action{{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/a"}, Value: 1}}, "replicas:default/a is not a knob of this mesh"},
		{"twice", append(set(information, .3, .1), set(information, -1, .1)...), "blocking:information is there twice"},
		{"nothing", nil, ""},
		{"NaN", policy.Action{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "information"}, Value: nan}}, "blocking:information = NaN is outside [0, 1]"},
		{"above 1", set(information, -1, 1.001), "blocking:information = 1.001 is outside [0, 1]"},
		{"below 0", policy.Action{{KnobID: id("v1"), Value: -.1}, {KnobID: id("v2"), Value: 1}}, "weight:default/front/information:v1 = -0.1 is outside [0, 1]"},
		{"infinite", policy.Action{{KnobID: id("v1"), Value: math.Inf(1)}, {KnobID: id("v2"), Value: 1}}, "= +Inf is outside [0, 1]"},
		{"some weights only", policy.Action{{KnobID: id("v1"), Value: 1}}, "weight:default/front/information:v2 is missing beside the other weights of its route"},
		{"a sum below 1", policy.Action{{KnobID: id("v1"), Value: .5}, {KnobID: id("v2"), Value: .4}}, "the weights of default/front/information sum to 0.9, want 1"},
	} {
		c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
		err := actuator(t, c).Apply(t.Context(), nil, tc.want, nil)
		if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !strings.HasSuffix(err.Error(), "; nothing was written")) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.err)
		}
		if len(c.patches)+c.gets > 0 {
			t.Errorf("%s: %d reads, patches %v", tc.name, c.gets, c.patches)
		}
	}
}

// touch is somebody else's change of the object.
func touch(c *cluster, _ int) {
	if err := c.change("default/front", `[{"op":"add","path":"/metadata/labels","value":{"touched":"yes"}}]`); err != nil {
		panic(err)
	}
}

func TestConflicts(t *testing.T) {
	object := front(weight(50), weight(50), "")
	changes := func(n int) func(*cluster, int) {
		return func(c *cluster, i int) {
			if i <= n {
				touch(c, i)
			}
		}
	}
	always := func(code int32) func(int) error { return func(int) error { return refusal(code, "not now") } }
	for _, tc := range []struct {
		name    string
		before  func(*cluster, int)
		refuse  func(int) error
		patches int
		err     string
		is      error
	}{
		{"once", changes(1), nil, 2, "", nil},
		{"three times", changes(3), nil, 4, "", nil},
		{"for ever", changes(99), nil, 4, "istio: patch VirtualService default/front, 4 times: others keep changing it; nothing was written in this cycle: ", ErrConflict},
		{"409 for ever", nil, always(http.StatusConflict), 4, "others keep changing it", ErrConflict},
		{"409 once", nil, func(n int) error {
			if n == 1 {
				return refusal(http.StatusConflict, "try again")
			}
			return nil
		}, 2, "", nil},
		{"422 although nobody changed it", nil, always(http.StatusUnprocessableEntity), 1, "istio: the API server refuses the patch of VirtualService default/front: not now", nil},
		{"forbidden", nil, always(http.StatusForbidden), 1, "istio: patch VirtualService default/front: not now", nil},
		{"500", nil, always(http.StatusInternalServerError), 1, "istio: patch VirtualService default/front: not now", nil},
		{"no connection", nil, func(int) error { return errors.New("connection refused") }, 1, "istio: patch VirtualService default/front: connection refused", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{objects: map[string]string{"default/front": object}, before: tc.before, refuse: tc.refuse}
			a := actuator(t, c)
			err := a.Apply(t.Context(), nil, set(information, .3, .2), nil)
			if len(c.patches) != tc.patches {
				t.Errorf("%d patches, want %d", len(c.patches), tc.patches)
			}
			if tc.err == "" {
				live, _, liveErr := a.Live(t.Context())
				if err != nil || liveErr != nil || !live.Equal(set(information, .3, .2), 1e-12) {
					t.Errorf("Apply: %v; live %s, %v", err, text(live), liveErr)
				}
				if len(c.patches) > 1 && !strings.Contains(c.objects["default/front"], "touched") && tc.before != nil {
					t.Error("somebody else's change is lost")
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tc.err) && !strings.Contains(err.Error(), tc.err) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("got %v, want %s", err, tc.err)
			}
			if tc.is == nil && errors.Is(err, ErrConflict) {
				t.Errorf("%v is no conflict", err)
			}
			if strings.Contains(c.objects["default/front"], "percentage") {
				t.Error("something was written")
			}
		})
	}
}

// Between two tries the routes may have moved: the patch is made anew from what is there.
func TestTheSecondTryReadsAnew(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	c.before = func(c *cluster, n int) {
		if n > 1 {
			return
		}
		if err := c.change("default/front", `[{"op":"move","from":"/spec/http/0","path":"/spec/http/1"}]`); err != nil {
			t.Error(err)
		}
	}
	if err := actuator(t, c).Apply(t.Context(), nil, set(information, .3, -1), nil); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, c.patches[1]); !strings.HasPrefix(got, `test /metadata/resourceVersion "8"`) || !strings.Contains(got, "add /spec/http/0/route/0/weight 30") {
		t.Errorf("the second patch:\n%s", got)
	}
	// Somebody else did what was wanted: nothing is left to send.
	c = &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	c.before = func(c *cluster, _ int) {
		if err := c.change("default/front", `[{"op":"replace","path":"/spec/http/1/route/0/weight","value":30},{"op":"replace","path":"/spec/http/1/route/1/weight","value":70}]`); err != nil {
			t.Error(err)
		}
	}
	if err := actuator(t, c).Apply(t.Context(), nil, set(information, .3, -1), nil); err != nil || len(c.patches) != 1 {
		t.Errorf("%d patches, %v; want one", len(c.patches), err)
	}
}

// The failure of one object leaves the others written, and is named.
func TestObjectsFailApart(t *testing.T) {
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	a := actuator(t, c, information, compute)
	want := append(set(information, .3, .1), set(compute, .4, .2)...)
	err := a.Apply(t.Context(), nil, want, nil)
	if err == nil || !strings.Contains(err.Error(), "default/back does not exist") || strings.Contains(err.Error(), "default/front") {
		t.Errorf("got %v, want one about default/back alone", err)
	}
	if kubeapi.Code(err) != http.StatusNotFound {
		t.Errorf("the server's status is lost: %v", err)
	}
	if !strings.Contains(c.objects["default/front"], `"weight":30`) {
		t.Error("default/front was not written")
	}
	// An object without a setting in want is not even read.
	c.gets = 0
	if err := a.Apply(t.Context(), nil, set(information, .5, -1), nil); err != nil || c.gets != 1 {
		t.Errorf("%d reads, %v; want 1", c.gets, err)
	}
}

func TestApplyStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &cluster{objects: map[string]string{"default/front": front(weight(50), weight(50), "")}}
	c.before = func(c *cluster, n int) {
		touch(c, n)
		cancel()
		c.getErr = ctx.Err()
	}
	if err := actuator(t, c).Apply(ctx, nil, set(information, .3, -1), nil); !errors.Is(err, context.Canceled) || len(c.patches) != 1 {
		t.Errorf("%d patches, %v; want 1, canceled", len(c.patches), err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(*Options)
	}{
		{"no client", func(o *Options) { o.Client = nil }},
		{"status 42: want 200 to 599", func(o *Options) { o.Blocking[0].Status = 42 }},
		{`"information" is there twice`, func(o *Options) { o.Blocking = append(o.Blocking, o.Blocking[0]) }},
		{"the service has no route", func(o *Options) { o.Blocking = append(o.Blocking, Blocking{Service: "x", Status: 429}) }},
		{`"front": want namespace/name`, func(o *Options) { o.Routes[0].VirtualService = "front" }},
		{"the name of the route", func(o *Options) { o.Routes[0].HTTP = "" }},
		{"weights need at least 2", func(o *Options) { o.Routes[0].Destinations = []string{"v1"} }},
		{`"v1" is empty or there twice`, func(o *Options) { o.Routes[0].Destinations = []string{"v1", "v1"} }},
		{`"" is empty or there twice`, func(o *Options) { o.Routes[0].Destinations = []string{"v1", ""} }},
		{`"v1" is empty or there twice`, func(o *Options) { o.Routes = append(o.Routes, o.Routes[0]) }},
		{"the route is there twice", func(o *Options) {
			o.Routes = append(o.Routes, o.Routes[0])
			o.Routes[1].Destinations = []string{"v3", "v4"}
		}},
	} {
		o := Options{Client: &cluster{}, Routes: []Route{information}, Blocking: []Blocking{{Service: "information", Status: 429}}}
		tc.change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "istio: ") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	a := actuator(t, &cluster{})
	for _, s := range set(information, .5, 0) {
		if !a.Owns(s.KnobID) {
			t.Errorf("does not own %s", s.KnobID)
		}
	}
	if a.Owns(policy.KnobID{Kind: policy.Weight, Target: "default/front/information", Part: "v3"}) {
		t.Error("owns a destination that was not configured")
	}
}
