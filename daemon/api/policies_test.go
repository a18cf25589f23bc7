package api

import (
	"net/http"
	"strings"
	"testing"
)

// A role is given in somebody's name and for a reason, or not at all.
func TestRoles(t *testing.T) {
	r := start(t, func(o *Options) { o.WebConfigFile = users(t) })
	const promote, demote = "/api/v1/meshes/shop/policies/planner/promote", "/api/v1/meshes/shop/policies/planner/demote"
	ann := map[string]string{"user": "ann:secret"}
	for _, c := range []struct {
		path, body string
		code       int
		want       string
	}{
		{promote, `{}`, http.StatusBadRequest, `send {\"reason\": \"…\"}`},
		{demote, `{"reason": " \n"}`, http.StatusBadRequest, "says no reason"},
		{promote, `{"reason": "` + strings.Repeat("x", maxReason+1) + `"}`, http.StatusBadRequest, "want at most 512"},
		{promote, `{"because": "x"}`, http.StatusBadRequest, "unknown field"},
		{promote, `{"reason": " better "}`, http.StatusOK, `"by":"ann"`},
		{demote, `{"reason": "worse"}`, http.StatusOK, `"by":"ann"`},
	} {
		if code, got, _ := r.do(http.MethodPost, c.path, c.body, ann); code != c.code || !strings.Contains(got, c.want) {
			t.Errorf("%s %.40s: %d %s, want %d with %s", c.path, c.body, code, got, c.code, c.want)
		}
	}
	if code, _, _ := r.do(http.MethodPost, promote, `{"reason": "better"}`, nil); code != http.StatusUnauthorized && code != http.StatusForbidden {
		t.Errorf("without a user: %d", code)
	}
	if got := strings.Join(r.acted, ", "); got != "promote shop planner by ann: better, demote shop planner by ann: worse" {
		t.Errorf("done: %s", got)
	}
	for path, want := range map[string]string{
		"/api/v1/policies?mesh=toys": "no mesh", "/api/v1/meshes/shop/policies/plan": "no policy",
	} {
		if code, got, _ := r.do(http.MethodGet, path, "", ann); code != http.StatusNotFound || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", path, code, got)
		}
	}
}
