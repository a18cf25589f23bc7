package testbed

import (
	"maps"
	"strings"
)

// Requests returns how many requests the Kubernetes API has been sent, by what they were,
// whatever became of them: their method, with " dry run" behind it if they only tried;
// "review" for a question about permissions, which is put as a POST and stores nothing.
func (t *Testbed) Requests() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.requests)
}

// count notes a request.
func (t *Testbed) count(q *request) {
	what := q.Method
	if q.URL.Query().Has("dryRun") {
		what += " dry run"
	}
	if strings.HasSuffix(q.URL.Path, "/selfsubjectaccessreviews") {
		what = "review"
	}
	if t.requests == nil {
		t.requests = map[string]int{}
	}
	t.requests[what]++
}
