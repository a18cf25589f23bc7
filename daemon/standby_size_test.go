package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lease"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/harm"
	"github.com/windvane/windvane/rules/margin"
)

// randomise makes every number of a struct one with all its digits.
func randomise(v reflect.Value, random *rand.Rand) {
	for _, f := range v.Fields() {
		switch f.Kind() {
		case reflect.Float64:
			f.SetFloat(random.Float64())
		case reflect.Struct:
			randomise(f, random)
		default:
		}
	}
}

// A thousand services, each with a route of its own and two versions, all changed at once, fit.
func TestAThousandServicesAreHandedOver(t *testing.T) {
	random := rand.New(rand.NewPCG(1000, 1))
	i := journal.Intent{Act: true, Baseline: map[string]json.RawMessage{}}
	var control margin.Control
	var charges []harm.Evidence
	for k := range 1000 {
		name := fmt.Sprintf("service-%04d", k)
		route := "shop/" + name + "/" + name
		v := random.Float64()
		i.Guarded = append(i.Guarded,
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Weight, Target: route, Part: "v1"}, Value: v},
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Weight, Target: route, Part: "v2"}, Value: 1 - v},
			policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Value: random.Float64()})
		i.Baseline["VirtualService shop/"+name] = json.RawMessage(fmt.Sprintf(`{"http":{%q:{"weights":{"v1":%d,"v2":%d},"fault":null}}}`, name, k%100, 100-k%100))
		e, c := margin.Entry{Service: name, Signal: "latency"}, harm.Evidence{}
		randomise(reflect.ValueOf(&e).Elem(), random)
		randomise(reflect.ValueOf(&c).Elem(), random)
		control, charges = append(control, e), append(charges, c)
	}
	i.Commanded = i.Guarded
	var err1, err2 error
	i.Control, err1 = json.Marshal(control)
	i.Evidence, err2 = json.Marshal(charges)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	var size int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		size, _ = io.Copy(io.Discard, q.Body) // what is missing is less than what is expected
		_, _ = w.Write([]byte(`{"metadata":{"resourceVersion":"1"}}`))
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL, Transport: &http.Transport{DisableKeepAlives: true}}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	h := lease.NewHandover(client, "ns", "windvane")
	if _, err := h.Read(t.Context(), "shop", &handover{}); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(t.Context(), "shop", handover{Identity: "host_x", At: time.Now(), Intent: leaveable(&i)}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kB of base64", size/1000)
	if size < 100_000 || size > 700_000 {
		t.Errorf("%d bytes", size)
	}
}
