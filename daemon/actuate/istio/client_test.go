package istio

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// overHTTP returns a client of a server that answers with handle.
func overHTTP(t *testing.T, handle http.HandlerFunc) Client {
	t.Helper()
	server := httptest.NewServer(handle)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	config := &rest.Config{
		Host: server.URL, Transport: transport,
		ContentConfig: rest.ContentConfig{GroupVersion: &schema.GroupVersion{}, NegotiatedSerializer: scheme.Codecs.WithoutConversion()},
	}
	r, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(r)
}

func TestRequests(t *testing.T) {
	var got []string
	c := overHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)))
		_, _ = io.WriteString(w, `{"newField":1,"weight":0}`)
	})
	raw, err := c.Get(t.Context(), "ns", "front")
	if err != nil || string(raw) != `{"newField":1,"weight":0}` {
		t.Errorf("Get: %s, %v; want the object as it was sent", raw, err)
	}
	if err := c.Patch(t.Context(), "ns", "front", []byte(`[]`), true); err != nil {
		t.Error(err)
	}
	const path = "/apis/networking.istio.io/v1/namespaces/ns/virtualservices/front"
	want := []string{"GET " + path, "PATCH " + path + "?dryRun=All&fieldManager=windvane application/json-patch+json []"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

// The server's words and its status survive, whatever is in between.
func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		code       int
		body, says string
	}{
		{404, `{"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":"virtualservices \"front\" not found"}`, `virtualservices "front" not found`},
		{422, `{"kind":"Status","status":"Failure","reason":"Invalid","code":422,"message":"admission webhook denied"}`, "admission webhook denied"},
		{409, `{"kind":"Status","status":"Failure","reason":"Conflict","code":409,"message":"modified"}`, "modified"},
		{502, `<html>Bad Gateway</html>`, ""},
		{403, `{"other":"JSON"}`, ""},
	} {
		c := overHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.code)
			_, _ = io.WriteString(w, tc.body)
		})
		_, getErr := c.Get(t.Context(), "ns", "front")
		for _, err := range []error{getErr, c.Patch(t.Context(), "ns", "front", []byte("[]"), false)} {
			if err == nil || kubeapi.Code(err) != int32(tc.code) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%d: %v with code %d, want %q", tc.code, err, kubeapi.Code(err), tc.says)
			}
		}
	}
}

// A request is sent once, whether the server hangs up or says when to come again.
func TestOneTry(t *testing.T) {
	var sent atomic.Int32
	c := overHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		if sent.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for i, code := range []int32{0, http.StatusTooManyRequests} {
		_, err := c.Get(t.Context(), "ns", "front")
		if n := int(sent.Load()); err == nil || kubeapi.Code(err) != code || n != i+1 {
			t.Errorf("%v with code %d after %d requests; want code %d after %d", err, kubeapi.Code(err), n, code, i+1)
		}
	}
	err := c.Patch(t.Context(), "ns", "front", []byte("[]"), false)
	if n := sent.Load(); err == nil || n != 3 {
		t.Errorf("Patch: %v after %d requests, want an error after the third", err, n)
	}
}
