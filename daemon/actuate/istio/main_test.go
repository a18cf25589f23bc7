package istio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster keeps VirtualServices as an API server does, as far as the actuator can tell:
// a patch is applied as a whole to the newest object, or refused with 422.
type cluster struct {
	mu      sync.Mutex
	objects map[string]string       // by namespace/name; resourceVersion counts up from 7
	patches []string                // as sent
	applied []string                // likewise
	gets    int                     //
	dryRuns int                     //
	before  func(c *cluster, n int) // each patch, the n-th from 1; holds the lock
	refuse  func(n int) error       // instead of applying the n-th patch; nil: none
	getErr  error                   // of each get
}

func refusal(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

func (c *cluster) Get(_ context.Context, namespace, name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets++
	if c.getErr != nil {
		return nil, c.getErr
	}
	object, ok := c.objects[namespace+"/"+name]
	if !ok {
		return nil, refusal(http.StatusNotFound, "not found")
	}
	return []byte(object), nil
}

func (c *cluster) Patch(_ context.Context, namespace, name string, patch []byte, dryRun bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if dryRun {
		c.dryRuns++
		if c.refuse != nil {
			if err := c.refuse(c.dryRuns); err != nil {
				return err
			}
		}
		stored := maps.Clone(c.objects)
		defer func() { c.objects = stored }()
		return c.change(namespace+"/"+name, string(patch))
	}
	c.patches = append(c.patches, string(patch))
	n := len(c.patches)
	if c.before != nil {
		c.before(c, n)
	}
	if c.refuse != nil {
		if err := c.refuse(n); err != nil {
			return err
		}
	}
	return c.change(namespace+"/"+name, string(patch))
}

// Apply stores what of the spec is sent, and the baseline, if the version is that of the object.
func (c *cluster) Apply(_ context.Context, namespace, name string, object []byte, dryRun bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied = append(c.applied, string(object))
	if c.before != nil {
		c.before(c, len(c.applied))
	}
	stored, err := parseView([]byte(c.objects[namespace+"/"+name]))
	if err != nil {
		return err
	}
	sent, err := parseView(object)
	if err != nil {
		return err
	}
	if sent.Metadata.ResourceVersion != stored.Metadata.ResourceVersion {
		return refusal(http.StatusConflict, "modified")
	}
	var whole struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(object, &whole); err != nil || dryRun {
		return err
	}
	var patch []map[string]any
	for member, value := range whole.Spec { // what others have applied beside it stays
		patch = append(patch, map[string]any{"op": "add", "path": "/spec/" + member, "value": value})
	}
	baseline, now := sent.Metadata.Annotations[BaselineAnnotation]
	switch _, was := stored.Metadata.Annotations[BaselineAnnotation]; {
	case now && stored.Metadata.Annotations == nil:
		patch = append(patch, map[string]any{"op": "add", "path": "/metadata/annotations", "value": map[string]string{BaselineAnnotation: baseline}})
	case now:
		patch = append(patch, map[string]any{"op": "add", "path": annotationPath, "value": baseline})
	case was:
		patch = append(patch, map[string]any{"op": "remove", "path": annotationPath})
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return c.change(namespace+"/"+name, string(raw))
}

// change applies a patch and counts the version up.
func (c *cluster) change(object, patch string) error {
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		return refusal(http.StatusBadRequest, err.Error())
	}
	out, err := p.Apply([]byte(c.objects[object]))
	if err != nil {
		return refusal(http.StatusUnprocessableEntity, err.Error())
	}
	var v struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return refusal(http.StatusUnprocessableEntity, err.Error())
	}
	version, _ := strconv.Atoi(v.Metadata.ResourceVersion)
	out, err = jsonpatch.MergePatch(out, fmt.Appendf(nil, `{"metadata":{"resourceVersion":"%d"}}`, version+1))
	if err != nil {
		return refusal(http.StatusUnprocessableEntity, err.Error())
	}
	c.objects[object] = string(out)
	return nil
}

// front is a VirtualService with one route, among others that are not windvane's. w1
// and w2 are the members of its destinations' weights, fault the route's.
func front(w1, w2, fault string) string {
	return vs("front", nil, `{"name":"first","match":[{"uri":{"prefix":"/health"}}],"route":[{"destination":{"host":"probe"}}]}`,
		httpRoute("information", w1, w2, fault))
}

func httpRoute(name, w1, w2, fault string) string {
	member := ""
	if fault != "" {
		member = `,"fault":` + fault
	}
	return fmt.Sprintf(`{"name":%q,"newField":{"of":"later"},"route":[{"destination":{"host":"node","subset":"v1"}%s},{"destination":{"host":"node","subset":"v2"}%s}]%s}`,
		name, w1, w2, member)
}

func vs(name string, annotations map[string]string, routes ...string) string {
	member := ""
	if annotations != nil {
		raw, err := json.Marshal(annotations)
		if err != nil {
			panic(err)
		}
		member = `,"annotations":` + string(raw)
	}
	return fmt.Sprintf(`{"kind":"VirtualService","metadata":{"name":%q,"namespace":"default","resourceVersion":"7","generation":3%s},"spec":{"hosts":["front"],"http":[%s]}}`,
		name, member, strings.Join(routes, ","))
}

func weight(n int) string { return fmt.Sprintf(`,"weight":%d`, n) }

func aborts(percent float64, status int) string {
	return fmt.Sprintf(`{"abort":{"percentage":{"value":%v},"httpStatus":%d}}`, percent, status)
}

var information = Route{Service: "information", VirtualService: "default/front", HTTP: "information", Destinations: []string{"v1", "v2"}}

func actuator(t testing.TB, c *cluster, routes ...Route) *Actuator {
	t.Helper()
	if routes == nil {
		routes = []Route{information}
	}
	o := Options{Client: c, Routes: routes}
	seen := map[string]bool{}
	for _, r := range routes {
		if !seen[r.Service] {
			o.Blocking = append(o.Blocking, Blocking{Service: r.Service, Status: 429})
		}
		seen[r.Service] = true
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// set is an action of one route's weights and its service's blocking; a negative
// value leaves the knob out.
func set(r Route, v1, blocking float64) policy.Action {
	var out policy.Action
	if blocking >= 0 {
		out = append(out, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: r.Service}, Value: blocking})
	}
	if v1 >= 0 {
		for i, v := range []float64{v1, 1 - v1} {
			id := policy.KnobID{Kind: policy.Weight, Target: r.VirtualService + "/" + r.HTTP, Part: r.Destinations[i]}
			out = append(out, policy.Setting{KnobID: id, Value: v})
		}
	}
	out.Sort()
	return out
}

func text(a policy.Action) string {
	var out []string
	for _, s := range a {
		out = append(out, fmt.Sprintf("%s=%v", s.KnobID, s.Value))
	}
	return strings.Join(out, " ")
}
