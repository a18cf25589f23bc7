package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/internal/jsonschema"
)

// What a daemon answers after a run with everything in it is as docs/reference/openapi.json has it.
func TestAPIAnswersAsDocumented(t *testing.T) {
	r := exercised(t)
	var doc map[string]any
	if err := json.Unmarshal([]byte(readFile(t, "../docs/reference/openapi.json")), &doc); err != nil {
		t.Fatal(err)
	}
	var found api.Decisions
	if err := json.Unmarshal([]byte(answerOf(t, r.url+"/api/v1/decisions?limit=1000")), &found); err != nil || len(found.Decisions) < 5 {
		t.Fatalf("%d decisions, %v", len(found.Decisions), err)
	}
	asked := map[string]string{
		"/api/v1/status": "/api/v1/status", "/api/v1/meshes": "/api/v1/meshes", "/api/v1/meshes/{mesh}": "/api/v1/meshes/shop",
		"/api/v1/objectives": "/api/v1/objectives", "/api/v1/policies": "/api/v1/policies", "/api/v1/plans": "/api/v1/plans", "/api/v1/caller": "/api/v1/caller",
		"/api/v1/decisions": "/api/v1/decisions", "/api/v1/meshes/{mesh}/policies/{policy}": "/api/v1/meshes/shop/policies/simple",
		"/api/v1/meshes/{mesh}/services/{service}/history": "/api/v1/meshes/shop/services/information/history",
	}
	for path, of := range asked {
		checkSchema(t, doc, path, of, answerOf(t, r.url+of))
	}
	for _, d := range found.Decisions {
		of := fmt.Sprintf("/api/v1/decisions/%d", d.ID)
		checkSchema(t, doc, "/api/v1/decisions/{id}", of, answerOf(t, r.url+of))
	}
}

func answerOf(t *testing.T, url string) string {
	t.Helper()
	a, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	b, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", url, a.StatusCode, err, b)
	}
	return string(b)
}

func checkSchema(t *testing.T, doc map[string]any, path, asked, answer string) {
	t.Helper()
	var at any = doc
	for _, key := range []string{"paths", path, "get", "responses", "200", "content", "application/json", "schema"} {
		m, ok := at.(map[string]any)
		if !ok {
			t.Fatalf("openapi.json has no %s of %s", key, path)
		}
		at = m[key]
	}
	var value any
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		t.Fatalf("%s: %v", asked, err)
	}
	for _, wrong := range jsonschema.Check(doc, at, value) {
		t.Errorf("%s: %s", asked, wrong)
	}
}
