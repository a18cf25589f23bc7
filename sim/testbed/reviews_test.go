package testbed_test

import (
	"net/http"
	"testing"
)

func TestAccessReviews(t *testing.T) {
	k := kubernetes(t, start(t, options(20)))
	const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	ask := func(spec string) []byte {
		return []byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":` + spec + `}`)
	}
	got := do(t, k.Post().AbsPath(path).Body(ask(`{"resourceAttributes":{"verb":"get","resource":"pods"}}`)))
	if at(got, "status.allowed") != true || at(got, "spec.resourceAttributes.verb") != "get" {
		t.Errorf("%v", got)
	}
	for body, code := range map[string]int32{"{": http.StatusBadRequest, `{"kind":"Pod"}`: http.StatusBadRequest, string(ask(`{}`)): http.StatusUnprocessableEntity} {
		if s := refusal(t, k.Post().AbsPath(path).Body([]byte(body))); s.Code != code {
			t.Errorf("%s: %+v, want %d", body, s, code)
		}
	}
}
