package testbed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreCounted(t *testing.T) {
	bed := start(t, options(20))
	k := kubernetes(t, bed)
	do(t, k.Get().AbsPath(frontPath))
	do(t, k.Get().AbsPath(scalePath))
	do(t, jsonPatch(k, frontPath, `[{"op":"add","path":"/spec/gateways","value":["mesh"]}]`).Param("dryRun", "All"))
	refusal(t, jsonPatch(k, frontPath, `[{"op":"remove","path":"/nothing"}]`))
	refusal(t, k.Delete().AbsPath(frontPath))
	_, _ = k.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").Body([]byte("{}")).DoRaw(t.Context()) // whatever comes of it
	want := map[string]int{"GET": 2, "PATCH dry run": 1, "PATCH": 1, "DELETE": 1, "review": 1}
	if d := cmp.Diff(want, bed.Requests()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
