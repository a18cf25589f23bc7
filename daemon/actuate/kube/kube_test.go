package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster keeps scales as an API server does: a put of an older version is a conflict.
type cluster struct {
	mu        sync.Mutex
	scales    map[string]string // by namespace/name
	puts      []string
	gets      int
	dryRuns   int
	others    map[string]string // answers of Get, by path
	patches   []string
	faster    int                     // patches for which somebody else changes the Deployment first
	forbidden error                   // to patch in a dry run
	before    func(c *cluster, n int) // the n-th put, from 1; holds the lock
	refusal   error                   // of each put
}

func status(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

func version(t string) string {
	var v struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(t), &v)
	return v.Metadata.ResourceVersion
}

func (c *cluster) GetScale(_ context.Context, namespace, name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets++
	s, ok := c.scales[namespace+"/"+name]
	if !ok {
		return nil, status(http.StatusNotFound, "not found")
	}
	return []byte(s), nil
}

func (c *cluster) PutScale(_ context.Context, namespace, name string, scale []byte, dryRun bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if dryRun {
		c.dryRuns++
		return c.refusal
	}
	c.puts = append(c.puts, string(scale))
	if c.before != nil {
		c.before(c, len(c.puts))
	}
	if c.refusal != nil {
		return c.refusal
	}
	object := namespace + "/" + name
	if version(string(scale)) != version(c.scales[object]) {
		return status(http.StatusConflict, "modified")
	}
	c.scales[object] = strings.Replace(string(scale), `"`+version(string(scale))+`"`, `"`+version(string(scale))+`0"`, 1)
	return nil
}

func (c *cluster) Get(_ context.Context, path string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch answer, ok := c.others[path]; {
	case !ok:
		return nil, status(http.StatusNotFound, "not found")
	case answer == "":
		return nil, status(http.StatusForbidden, "no permission")
	default:
		return []byte(answer), nil
	}
}

func (c *cluster) Patch(_ context.Context, namespace, name string, patch []byte, dryRun bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if dryRun && c.forbidden != nil {
		return c.forbidden
	}
	if !dryRun {
		c.patches = append(c.patches, string(patch))
	}
	path := deployment(namespace, name)
	if c.faster > 0 {
		c.faster--
		c.others[path] = strings.Replace(c.others[path], `"resourceVersion":"5"`, `"resourceVersion":"6"`, 1)
	}
	if !strings.Contains(string(patch), `"value":"`+version(c.others[path])+`"}`) {
		return status(http.StatusUnprocessableEntity, "the test operation failed")
	}
	return nil
}

// scaleOf is a scale with members that this version does not know.
func scaleOf(spec string) string {
	return `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":` + spec + `,"status":{"replicas":9}}`
}

func actuator(t testing.TB, c Client, deployments ...string) *Actuator {
	t.Helper()
	a, err := New(Options{Client: c, Deployments: deployments})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func replicas(deployment string, n float64) policy.Setting {
	return policy.Setting{KnobID: policy.KnobID{Kind: policy.Replicas, Target: deployment}, Value: n}
}

func TestLive(t *testing.T) {
	c := &cluster{scales: map[string]string{
		"default/b": scaleOf(`{"replicas":3}`), "default/a": scaleOf(`{}`), "other/a": scaleOf(`{"replicas":1}`),
	}}
	live, _, err := actuator(t, c, "default/b", "other/a", "default/a").Live(t.Context())
	want := policy.Action{replicas("default/a", 0), replicas("default/b", 3), replicas("other/a", 1)}
	if d := cmp.Diff(want, live); d != "" || err != nil {
		t.Errorf("%v; live (-want +got):\n%s", err, d)
	}
}

// The put is what was read, with other replicas.
func TestApply(t *testing.T) {
	for _, tc := range []struct {
		name, spec string
		want       float64
		put        string
	}{
		{"up", `{"replicas":1}`, 3, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":{"replicas":3},"status":{"replicas":9}}`},
		{"from none", `{}`, 2, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":{"replicas":2},"status":{"replicas":9}}`},
		{"members of later versions stay", `{"replicas":2,"later":[1]}`, 1, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":{"later":[1],"replicas":1},"status":{"replicas":9}}`},
		{"to none", `{"replicas":2}`, 0, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":{"replicas":0},"status":{"replicas":9}}`},
		{"the same", `{"replicas":2}`, 2, ""},
		{"none is none", `{}`, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{scales: map[string]string{"default/a": scaleOf(tc.spec)}}
			a := actuator(t, c, "default/a")
			for range 2 { // the second time there is nothing left to do
				if err := a.Apply(t.Context(), nil, policy.Action{replicas("default/a", tc.want)}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if got := strings.Join(c.puts, "\n"); got != tc.put {
				t.Errorf("put\n%s\nwant\n%s", got, tc.put)
			}
			if live, _, err := a.Live(t.Context()); err != nil || live[0].Value != tc.want {
				t.Errorf("live %v, %v", live, err)
			}
		})
	}
}

func TestApplyRefusesBeforeItWrites(t *testing.T) {
	for want, action := range map[string]policy.Action{
		"replicas:default/b is not a knob of this mesh":                 {replicas("default/a", 2), replicas("default/b", 2)},
		"blocking:default/a is not a knob of this mesh":                 {{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "default/a"}}},
		"replicas:default/a is there twice":                             {replicas("default/a", 2), replicas("default/a", 3)},
		"replicas:default/a = 1.5 is no number of replicas":             {replicas("default/a", 1.5)},
		"replicas:default/a = -1 is no number of replicas":              {replicas("default/a", -1)},
		"replicas:default/a = NaN is no number of replicas":             {replicas("default/a", math.NaN())},
		"replicas:default/a = +Inf is no number of replicas":            {replicas("default/a", math.Inf(1))},
		"replicas:default/a = 2.147483648e+09 is no number of replicas": {replicas("default/a", 1<<31)},
	} {
		c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":1}`)}}
		err := actuator(t, c, "default/a").Apply(t.Context(), nil, action, nil)
		if err == nil || err.Error() != "kube: "+want+"; nothing was written" || c.gets+len(c.puts) > 0 {
			t.Errorf("%d reads, %d puts, %v; want %q", c.gets, len(c.puts), err, want)
		}
	}
}

func TestConflicts(t *testing.T) {
	changes := func(n int, spec string) func(*cluster, int) {
		return func(c *cluster, i int) {
			if i <= n {
				c.scales["default/a"] = strings.Replace(scaleOf(spec), `"5"`, fmt.Sprintf(`"5%d"`, i), 1)
			}
		}
	}
	for _, tc := range []struct {
		name    string
		before  func(*cluster, int)
		refusal error
		puts    int
		err     string
		is      bool // ErrConflict
	}{
		{"once", changes(1, `{"replicas":7}`), nil, 2, "", false},
		{"three times", changes(3, `{"replicas":7}`), nil, 4, "", false},
		{"to what is wanted", changes(1, `{"replicas":3}`), nil, 1, "", false},
		{"for ever", changes(99, `{"replicas":7}`), nil, 4, "kube: scale deployment default/a to 3, 4 times: others keep changing it; nothing was written in this cycle: modified", true},
		{"forbidden", nil, status(http.StatusForbidden, "no permission"), 1, "kube: scale deployment default/a to 3: no permission", false},
		{"no connection", nil, errors.New("connection refused"), 1, "kube: scale deployment default/a to 3: connection refused", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cluster{scales: map[string]string{"default/a": scaleOf(`{"replicas":1}`)}, before: tc.before, refusal: tc.refusal}
			a := actuator(t, c, "default/a")
			err := a.Apply(t.Context(), nil, policy.Action{replicas("default/a", 3)}, nil)
			if len(c.puts) != tc.puts || errors.Is(err, ErrConflict) != tc.is {
				t.Errorf("%d puts, %v; want %d", len(c.puts), err, tc.puts)
			}
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Errorf("got %v, want %s", err, tc.err)
				}
				return
			}
			if live, _, liveErr := a.Live(t.Context()); err != nil || liveErr != nil || live[0].Value != 3 {
				t.Errorf("Apply: %v; live %v, %v", err, live, liveErr)
			}
		})
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ scale, want string }{
		{"", "kube: deployment default/a does not exist; create it, or correct `deployment` in the rules file: not found"},
		{"{", "kube: scale of deployment default/a: the API server's answer: unexpected end"},
		{`{"kind":"Deployment"}`, `it is of kind "Deployment", want Scale`},
		{`{"kind":"Scale","metadata":{}}`, "it has no metadata.resourceVersion"},
		{`{"kind":"Scale","metadata":{"resourceVersion":"1"}}`, "it has no spec"},
		{`{"kind":"Scale","metadata":{"resourceVersion":"1"},"spec":null}`, "it has no spec"},
		{scaleOf(`{"replicas":"3"}`), "spec.replicas: json: cannot unmarshal string"},
	} {
		c := &cluster{scales: map[string]string{"default/b": scaleOf(`{"replicas":1}`)}}
		if tc.scale != "" {
			c.scales["default/a"] = tc.scale
		}
		a := actuator(t, c, "default/a", "default/b")
		if live, _, err := a.Live(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) || live != nil {
			t.Errorf("Live: %v, %v; want %s", live, err, tc.want)
		}
		// The others are written all the same.
		err := a.Apply(t.Context(), nil, policy.Action{replicas("default/a", 2), replicas("default/b", 2)}, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) || len(c.puts) != 1 {
			t.Errorf("Apply: %d puts, %v; want one, and %s", len(c.puts), err, tc.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		"kube: no client": {},
		`kube: deployment "a": want namespace/name`:     {Client: &cluster{}, Deployments: []string{"a"}},
		`kube: deployment "/a": want namespace/name`:    {Client: &cluster{}, Deployments: []string{"/a"}},
		`kube: deployment "a/b/c": want namespace/name`: {Client: &cluster{}, Deployments: []string{"a/b/c"}},
		"kube: deployment a/b is there twice":           {Client: &cluster{}, Deployments: []string{"a/b", "a/b"}},
	} {
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	a := actuator(t, &cluster{}, "default/a")
	if !a.Owns(replicas("default/a", 0).KnobID) || a.Owns(replicas("default/b", 0).KnobID) {
		t.Error("Owns does not tell its own knobs from others")
	}
	if live, _, err := actuator(t, &cluster{}).Live(t.Context()); err != nil || len(live) != 0 {
		t.Errorf("without deployments: %v, %v", live, err)
	}
}

func TestRequests(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)))
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"kind":"Status","status":"Failure","code":409,"message":"modified"}`)
			return
		}
		_, _ = io.WriteString(w, scaleOf(`{"replicas":1}`))
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r, err := rest.UnversionedRESTClientFor(&rest.Config{
		Host: server.URL, Transport: transport,
		ContentConfig: rest.ContentConfig{GroupVersion: &schema.GroupVersion{}, NegotiatedSerializer: scheme.Codecs.WithoutConversion()},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = actuator(t, NewClient(r), "ns/a").Apply(t.Context(), nil, policy.Action{replicas("ns/a", 2)}, nil)
	if !errors.Is(err, ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	const path = "/apis/apps/v1/namespaces/ns/deployments/a/scale"
	put := "PUT " + path + `?fieldManager=windvane application/json ` +
		`{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","resourceVersion":"5","uid":"u"},"spec":{"replicas":2},"status":{"replicas":9}}`
	mu.Lock()
	defer mu.Unlock()
	want := []string{"GET " + path, put, "GET " + path, put, "GET " + path, put, "GET " + path, put}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}
