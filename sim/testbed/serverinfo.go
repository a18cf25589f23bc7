package testbed

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// version is what the testbed says it is: the Prometheus whose engine it runs.
const version = "3.16.0+testbed"

// serveInfo serves what Prometheus says of itself: its version and its rules
// (prometheus, web/api/v1).
func (t *Testbed) serveInfo(mux *http.ServeMux) {
	for path, info := range map[string]func() any{
		"/api/v1/status/buildinfo": func() any { return map[string]string{"version": version} },
		"/api/v1/rules":            t.ruleGroups,
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.faults.Prometheus {
				writeQueryError(w, &apiError{kind: "unavailable", status: http.StatusServiceUnavailable, err: errors.New("switched off by the test")})
				return
			}
			writeJSON(w, http.StatusOK, map[string]any{"status": "success", "data": info()})
		})
	}
}

// ruleGroups is the answer of /api/v1/rules. The caller holds the lock.
func (t *Testbed) ruleGroups() any {
	groups := []any{}
	for _, g := range t.groups {
		rules := []any{}
		last := t.start.Add(t.elapsed - t.elapsed%g.every).Format(time.RFC3339Nano)
		for _, r := range g.Rules {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil { // New has parsed it
				continue
			}
			rules = append(rules, map[string]any{
				"name": r.Record, "query": expr.String(), "labels": r.Labels, "type": "recording",
				"health": "ok", "evaluationTime": 0, "lastEvaluation": last,
			})
		}
		groups = append(groups, map[string]any{
			"name": g.Name, "file": "rules.yml", "interval": g.every.Seconds(), "limit": 0, "rules": rules,
			"evaluationTime": 0, "lastEvaluation": last,
		})
	}
	return map[string]any{"groups": groups}
}
