package testbed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/sim/testbed"
)

const (
	frontPath = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/front"
	scalePath = "/apis/apps/v1/namespaces/default/deployments/node-v1/scale"
)

// kubernetes is a client as the daemon makes it.
func kubernetes(t testing.TB, bed *testbed.Testbed) rest.Interface {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config := &rest.Config{Host: bed.KubernetesURL(), QPS: -1}
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	client, err := rest.UnversionedRESTClientForConfigAndClient(config, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// refusal returns the Status that a request was answered with.
func refusal(t testing.TB, r *rest.Request) metav1.Status {
	t.Helper()
	body, err := r.DoRaw(context.Background())
	if err == nil {
		t.Fatalf("%s was not refused: %s", r.URL(), body)
	}
	var s metav1.Status
	if err := json.Unmarshal(body, &s); err != nil || s.Kind != "Status" || s.APIVersion != "v1" || s.Status != metav1.StatusFailure {
		t.Fatalf("%s: the body is no Status: %s (%v)", r.URL(), body, err)
	}
	if apierrors.FromObject(&s).Error() != s.Message || s.Message == "" {
		t.Errorf("%s: no message in %s", r.URL(), body)
	}
	return s
}

func jsonPatch(r rest.Interface, path, patch string) *rest.Request {
	return r.Patch(types.JSONPatchType).AbsPath(path).Body([]byte(patch))
}

// do sends a request that must succeed, and decodes its answer.
func do(t testing.TB, r *rest.Request) map[string]any {
	t.Helper()
	body, err := r.DoRaw(context.Background())
	if err != nil {
		t.Fatalf("%s: %v: %s", r.URL(), err, body)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// at follows a path of keys and indices, such as "spec.http.0.name"; nil where it ends.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := -1
			if _, err := fmt.Sscan(key, &i); err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// patchAbort sheds a percentage of the requests of the mesh's route i.
func patchAbort(t testing.TB, bed *testbed.Testbed, i int, percent float64) {
	t.Helper()
	do(t, jsonPatch(kubernetes(t, bed), frontPath, fmt.Sprintf(
		`[{"op":"add","path":"/spec/http/%d/fault","value":{"abort":{"percentage":{"value":%v},"httpStatus":429}}}]`, i, percent)))
}
