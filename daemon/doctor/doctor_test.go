package doctor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/sim/train"
)

// With everything right there is nothing to say, every check has looked, and nothing was
// written but questions for permissions.
func TestAllIsWell(t *testing.T) {
	r := newRig(t)
	report := r.examine()
	for _, f := range report.Findings {
		if f.Status != doctor.OK {
			t.Errorf("%+v", f)
		}
	}
	for check, object := range map[string]string{
		"configuration": "windvane.toml", "plugin": "rules", "state": "state", "journal": "journal", "runtime directory": "", "prometheus": "main", "clock": "main",
		"api server": "kubernetes", "query": "latency", "look-back": "all", "buckets": "information/latency", "permissions": "api server",
		"route": "route compute", "workload": "node-v1", "owner": "Deployment", "retries": "route information", "gitops": "VirtualService",
	} {
		if len(find(report, check, object)) == 0 {
			t.Errorf("no finding of check %s about %q", check, object)
		}
	}
	for _, w := range r.kube.writes {
		if w != "POST "+reviewPath {
			t.Errorf("the API server was sent %s", w)
		}
	}
	for _, w := range r.prom.writes {
		if w != "POST /api/v1/query" {
			t.Errorf("Prometheus was sent %s", w)
		}
	}
	quiet, all := text(t, report, false), text(t, report, true)
	if strings.Contains(quiet, "VirtualService") || !strings.Contains(quiet, "0 problems, 0 warnings, 0 unknown") || !strings.Contains(quiet, "-v shows them") {
		t.Errorf("quiet:\n%s", quiet)
	}
	if !strings.Contains(all, "with weights v1 50, v2 50") {
		t.Errorf("all:\n%s", all)
	}
}

// Each case spoils one thing and names the finding that has to say so.
func TestChecks(t *testing.T) {
	object := func(m map[string]any, path ...string) map[string]any {
		for _, p := range path {
			m, _ = m[p].(map[string]any)
		}
		return m
	}
	route := func(o map[string]any, i int) map[string]any {
		return object(o, "spec")["http"].([]any)[i].(map[string]any)
	}
	vs := func(change func(o map[string]any)) func(r *rig) {
		return func(r *rig) { r.kube.edit(r.t, r.bed.KubernetesURL(), vsPath, change) }
	}
	replace := func(pairs ...string) func(r *rig) {
		return func(r *rig) { r.rules = strings.NewReplacer(pairs...).Replace(r.rules) }
	}
	bed := newBed(t)
	for _, c := range []struct {
		name          string
		spoil         func(r *rig)
		check, object string
		status        doctor.Status
		what, do      string
	}{
		{"a warning of the files", replace(`maximum = 0.5`, "maximum = 0.5\n  status = 503"), "configuration", "shop.toml:", doctor.Warning, "503 may be retried", "use 429"},
		{"a program that is not there", func(r *rig) { r.conf += "[plugin.mine]\ncommand = [\"mine\"]\n" }, "plugin", "mine", doctor.Problem, "mine", "make it executable"},
		{"another program", func(r *rig) {
			r.write("mine", "#!/bin/sh\n")
			if err := os.Chmod(filepath.Join(r.dir, "mine"), 0o700); err != nil {
				r.t.Fatal(err)
			}
			r.conf += "[plugin.mine]\ncommand = [\"mine\"]\nsha256 = \"" + strings.Repeat("ab", 32) + "\"\n"
		}, "plugin", "mine", doctor.Problem, "sha256 does not match", "who changed it"},
		{"no state directory", func(r *rig) { r.conf = strings.Replace(r.conf, `"state"`, `"none"`, 1) }, "state", "none", doctor.Warning, "does not exist", "create it"},
		{"a state file", func(r *rig) { r.conf = strings.Replace(r.conf, `"state"`, `"kubeconfig"`, 1) }, "state", "kubeconfig", doctor.Problem, "no directory", ""},
		{"a damaged journal", func(r *rig) {
			dir := daemon.JournalDirectory(filepath.Join(r.dir, "state"))
			if err := os.MkdirAll(dir, 0o750); err != nil {
				r.t.Fatal(err)
			}
			for _, n := range []string{"00000001.jsonl", "00000003.jsonl"} {
				if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
					r.t.Fatal(err)
				}
			}
		}, "journal", "journal", doctor.Problem, "00000002", "journal verify"},
		{"no runtime directory", func(r *rig) { r.options.RuntimeDirectory = filepath.Join(r.dir, "run") }, "runtime directory", "run", doctor.Problem, "no such file", "RuntimeDirectory=windvane"},
		{"another clock", func(r *rig) { r.options.Now = func() time.Time { return r.bed.Now().Add(-2 * time.Second) } }, "clock", "main", doctor.Warning, "2s ahead", "NTP"},
		{"a clock that is wrong", func(r *rig) { r.options.Now = func() time.Time { return r.bed.Now().Add(time.Minute) } }, "clock", "main", doctor.Problem, "1m0s behind", "NTP"},
		{"no version", func(r *rig) { r.prom.answer("/api/v1/status/buildinfo", 404, "{}") }, "prometheus", "main", doctor.Unknown, "says no version", ""},
		{"no rules to be seen", func(r *rig) { r.prom.answer("/api/v1/rules", 404, "{}") }, "buckets", "information/latency", doctor.Unknown, "rules are unknown", ""},
		{"a rule that is not loaded", replace("windvane:carried:rate", "windvane:carried:rate2"), "query", "carried", doctor.Problem, "absent for compute, information", "load deploy/prometheus"},
		{"a destination without requests", replace("'windvane:split:ratio'", `'windvane:split:ratio{version="v1"}'`), "query", "split", doctor.Warning, "absent for compute, information: no series", "weight of 0"},
		{"a metric that is not there", replace("'windvane:carried:rate'", `'sum by (service) (none)'`), "query", "carried", doctor.Problem, "absent", "metric's name"},
		{"two series", replace("'windvane:carried:rate'", `'label_replace(istio_requests_total, "service", "$1", "destination_service_name", "(.*)")'`), "query", "carried", doctor.Problem, "duplicate", "sum by (service)"},
		{"not a number", replace("'windvane:carried:rate'", `'windvane:carried:rate * 0 / 0'`), "query", "carried", doctor.Warning, "nan", "without requests"},
		{"scrapes that stopped", func(r *rig) {
			r.bed = newBed(r.t)
			r.prom = newProxy(r.t, r.bed.PrometheusURL())
			r.options.Now = r.bed.Now
			r.bed.Fail(testbedScrapes)
			if err := r.bed.Advance(time.Minute); err != nil {
				r.t.Fatal(err)
			}
		}, "query", "offered", doctor.Problem, "absent", ""},
		{
			"a short look-back", replace("'windvane:offered:rate'", `'sum by (service) (label_replace(rate(istio_requests_total[1500ms]), "service", "$1", "destination_service_name", "(.*)"))'`),
			"look-back", "signal offered", doctor.Problem, "looks back 1s500ms", "4s or more",
		},
		{
			"a look-back of few samples", replace("'windvane:offered:rate'", `'sum by (service) (label_replace(rate(istio_requests_total[3s]), "service", "$1", "destination_service_name", "(.*)"))'`),
			"look-back", "signal offered", doctor.Warning, "single late scrape", "4s or more",
		},
		{"rules that look back too far", replace(`interval = "5s"`, `interval = "2s"`), "look-back", "rule windvane:offered:rate", doctor.Warning, "looks back 5s", "shorten the range"},
		{"rules that are evaluated too seldom", replace(`interval = "5s"`, `interval = "2s"`), "look-back", "rule windvane:carried:rate", doctor.Warning, "evaluated each 5s", "`interval: 2s`"},
		{"samples that come too seldom", replace(`interval = "5s"`, `interval = "2s"`), "look-back", "interval", doctor.Warning, "each 5s only", `interval = "5s"`},
		{"a scrape interval that is not", replace(`interval = "5s"`, "interval = \"5s\"\nscrape_interval = \"1s\""), "look-back", "scrape_interval", doctor.Warning, "1s is declared", `scrape_interval = "5s"`},
		{"a bound between buckets", replace(`"250ms"`, `"300ms"`), "buckets", "information/latency", doctor.Warning, "between two buckets, 250ms and 500ms", "250,300,500"},
		{"a bound above all buckets", replace(`"500ms"`, `"3h"`), "buckets", "compute/latency", doctor.Problem, "last bucket ends at", "10000,10800000"},
		{"a latency that is no quantile", replace("'windvane:latency_seconds:p95'", "'windvane:carried:rate'"), "buckets", "compute/latency", doctor.Unknown, "no histogram_quantile", ""},
		{"permissions that are missing", deny("patch virtualservices", "update deployments/scale"), "permissions", "api server", doctor.Problem, "may not patch virtualservices default/shop", ""},
		{
			"what is missing as rules", deny("update deployments/scale"), "permissions", "api server", doctor.Problem, "update deployments/scale",
			"bound to in namespace default:\nrules:\n  - apiGroups: [apps]\n    resources: [deployments/scale]\n    verbs: [update]",
		},
		{
			"no reviews", func(r *rig) {
				r.kube.answer(reviewPath, 403, `{"kind":"Status","status":"Failure","message":"not you","code":403}`)
			},
			"permissions", "api server", doctor.Unknown, "not you", "kubectl auth can-i",
		},
		{"no VirtualService", replace("default/shop", "default/shoe"), "route", "VirtualService default/shoe", doctor.Problem, "does not exist", "virtual_service"},
		{"another route", vs(func(o map[string]any) { route(o, 0)["name"] = "info" }), "route", "route information", doctor.Problem, "none of this name", "holds"},
		{"one destination", vs(func(o map[string]any) { route(o, 0)["route"] = route(o, 0)["route"].([]any)[:1] }), "route", "route information", doctor.Problem, "at least 2", ""},
		{"a canary's route", vs(func(o map[string]any) {
			object(o, "metadata")["ownerReferences"] = []any{map[string]any{"kind": "Canary", "name": "c", "controller": true}}
		}), "owner", "VirtualService", doctor.Problem, "set by Canary c", "two must not"},
		{"a rollout's route", func(r *rig) {
			r.kube.answer("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts", 200,
				`{"items":[{"metadata":{"name":"r"},"spec":{"strategy":{"canary":{"trafficRouting":{"istio":{"virtualService":{"name":"shop"}}}}}}}]}`)
		}, "owner", "VirtualService", doctor.Problem, "set by Rollout r", ""},
		{"rollouts that may not be seen", func(r *rig) {
			r.kube.answer("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts", 403, `{"kind":"Status","status":"Failure","message":"not you","code":403}`)
		}, "owner", "VirtualService", doctor.Unknown, "not you", "list rollouts"},
		{"an autoscaler", func(r *rig) {
			r.kube.answer("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", 200,
				`{"items":[{"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"node-v1"}}}]}`)
		}, "owner", "Deployment", doctor.Problem, "HorizontalPodAutoscaler h", ""},
		{"no Deployment", replace("default/node-v1", "default/node-v9"), "workload", "node-v9", doctor.Problem, "does not exist", ""},
		{
			"retries of 429", vs(func(o map[string]any) {
				route(o, 0)["retries"] = map[string]any{"attempts": 3, "retryOn": "connect-failure, 429"}
			}),
			"retries", "route information", doctor.Warning, "429 again, up to 3 times", "attempts: 0",
		},
		{"the default retries and 503", replace(`maximum = 0.5`, "maximum = 0.5\n  status = 503"), "retries", "route compute", doctor.Warning, "default of some versions", "429"},
		{"Argo CD", vs(func(o map[string]any) {
			object(o, "metadata")["annotations"] = map[string]any{"argocd.argoproj.io/tracking-id": "shop"}
		}), "gitops", "VirtualService", doctor.Warning, "Argo CD", `'.spec.http[] | select(.name == "compute") | .fault'`},
		{"Flux", func(r *rig) {
			r.kube.edit(r.t, r.bed.KubernetesURL(), nodePath, func(o map[string]any) {
				object(o, "metadata")["managedFields"] = []any{map[string]any{"manager": "kustomize-controller"}}
			})
		}, "gitops", "Deployment", doctor.Warning, "Flux", "- /spec/replicas\n      target: {kind: Deployment, name: node-v1, namespace: default}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rigOn(t, bed)
			c.spoil(r)
			report := r.examine()
			found := find(report, c.check, c.object)
			if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
				return f.Status == c.status && strings.Contains(f.What, c.what) && strings.Contains(f.Do, c.do)
			}) {
				t.Errorf("found of %s: %+v\nwant %s, %q, %q\nin all:\n%s", c.check, found, c.status, c.what, c.do, text(t, report, false))
			}
		})
	}
}

// deny refuses some permissions, named by verb and resource.
func deny(permissions ...string) func(r *rig) {
	return func(r *rig) {
		r.kube.own[reviewPath] = func(w http.ResponseWriter, q *http.Request) {
			var review struct {
				Spec struct {
					Attributes struct{ Verb, Resource, Subresource string } `json:"resourceAttributes"`
				} `json:"spec"`
			}
			body, err := io.ReadAll(q.Body)
			if err == nil {
				err = json.Unmarshal(body, &review)
			}
			a := review.Spec.Attributes
			if a.Subresource != "" {
				a.Resource += "/" + a.Subresource
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": map[string]any{"allowed": !slices.Contains(permissions, a.Verb+" "+a.Resource)}})
		}
	}
}

// Who shares a lease has to be allowed to hold it and to hand over; others are not asked.
func TestLeasePermissions(t *testing.T) {
	r := newRig(t)
	if found := find(r.examine(), "lease", ""); len(found) != 0 {
		t.Errorf("without a lease: %+v", found)
	}
	r.conf += "\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\n"
	if found := find(r.examine(), "lease", "default/windvane"); len(found) != 1 || found[0].Status != doctor.OK || !strings.Contains(found[0].What, "within 15s") {
		t.Errorf("allowed: %+v", found)
	}
	deny("update leases", "create configmaps")(r)
	found := find(r.examine(), "lease", "default/windvane")
	if len(found) != 1 || found[0].Status != doctor.Problem || !strings.Contains(found[0].What, "may not update leases default/windvane, create configmaps in namespace default") ||
		!strings.Contains(found[0].Do, "  - apiGroups: [\"\"]\n    resources: [configmaps]\n    verbs: [create]") {
		t.Errorf("denied: %+v", found)
	}
}

// A role may be for some objects by name only.
func TestPermissionsByName(t *testing.T) {
	r := newRig(t)
	asked := 0
	r.kube.own[reviewPath] = func(w http.ResponseWriter, q *http.Request) {
		var review struct {
			Spec struct {
				Attributes struct{ Verb, Group, Namespace, Name string } `json:"resourceAttributes"`
			} `json:"spec"`
		}
		err := json.NewDecoder(q.Body).Decode(&review)
		a := review.Spec.Attributes
		asked++
		if err != nil || a.Group == "" || a.Namespace != "default" {
			http.Error(w, "not asked as it should be", http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": map[string]any{"allowed": a.Name != "" || a.Verb == "list"}})
	}
	if found := find(r.examine(), "permissions", ""); len(found) != 1 || found[0].Status != doctor.OK {
		t.Errorf("%+v", found)
	}
	if asked < 10 {
		t.Errorf("asked %d times", asked)
	}
}

// In observe only reading is asked for, and what would keep windvane from acting is a
// warning.
func TestObserveNeedsLess(t *testing.T) {
	r := newRig(t)
	deny("patch virtualservices", "patch deployments", "get deployments", "update deployments/scale", "list horizontalpodautoscalers")(r)
	r.rules = strings.Replace(r.rules, `"act"`, `"observe"`, 1)
	r.kube.edit(t, r.bed.KubernetesURL(), vsPath, func(o map[string]any) {
		o["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{"kind": "Canary", "name": "c", "controller": true}}
	})
	report := r.examine()
	if found := find(report, "permissions", ""); len(found) != 1 || found[0].Status != doctor.OK || !strings.Contains(found[0].What, "observe needs (2 permissions)") {
		t.Errorf("%+v", found)
	}
	if found := find(report, "owner", "VirtualService"); len(found) != 1 || found[0].Status != doctor.Warning {
		t.Errorf("%+v", found)
	}
}

// What cannot be reached is unknown, and keeps nothing else from being looked at.
func TestWithoutPrometheusOrCluster(t *testing.T) {
	for _, c := range []struct {
		name           string
		spoil          func(r *rig)
		down, unknown  []string
		answered, says string
	}{
		{"Prometheus refuses", func(r *rig) { r.bed.Fail(testbedPrometheus) }, []string{"prometheus"}, []string{"query", "look-back", "buckets"}, "route", "503"},
		{"Prometheus is not there", func(r *rig) { r.conf = strings.Replace(r.conf, "PROMETHEUS", "http://127.0.0.1:1", 1) }, []string{"prometheus"}, []string{"query"}, "permissions", "refused"},
		{"Prometheus is silent", func(r *rig) {
			r.options.Timeout = 100 * time.Millisecond
			r.prom.own["/api/v1/query"] = func(_ http.ResponseWriter, q *http.Request) {
				_, _ = io.Copy(io.Discard, q.Body)
				<-q.Context().Done()
			}
		}, []string{"prometheus"}, []string{"query"}, "route", "deadline"},
		{"the API server refuses", func(r *rig) { r.bed.Fail(testbedKubernetes) }, []string{"api server"}, []string{"permissions", "route"}, "query", "switched off"},
		{"there is no kubeconfig", func(r *rig) { r.conf = strings.Replace(r.conf, `"kubeconfig"`, `"none"`, 1) }, []string{"api server"}, []string{"permissions", "route"}, "buckets", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.spoil(r)
			report := r.examine()
			for _, check := range c.down {
				if found := find(report, check, ""); len(found) != 1 || found[0].Status != doctor.Problem || !strings.Contains(found[0].What, c.says) || found[0].Do == "" {
					t.Errorf("%s: %+v", check, found)
				}
			}
			for _, check := range c.unknown {
				for _, f := range find(report, check, "") {
					if f.Status != doctor.Unknown {
						t.Errorf("%+v", f)
					}
				}
			}
			if found := find(report, c.answered, ""); len(found) == 0 || found[0].Status != doctor.OK {
				t.Errorf("%s: %+v", c.answered, found)
			}
		})
	}
}

// One that says the time, and is too slow for anything else, is not waited for again and again.
func TestSlowPrometheus(t *testing.T) {
	r := newRig(t)
	r.options.Timeout = 50 * time.Millisecond
	late := 0
	r.prom.own["/api/v1/query"] = func(w http.ResponseWriter, q *http.Request) {
		if err := q.ParseForm(); err == nil && q.Form.Get("query") == "time()" {
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[%d,"%d"]}}`, r.bed.Now().Unix(), r.bed.Now().Unix())
			return
		}
		if strings.Contains(q.Form.Get("query"), "count") {
			r.prom.mu.Lock()
			late++
			r.prom.mu.Unlock()
		}
		<-q.Context().Done()
	}
	report := r.examine()
	r.prom.mu.Lock()
	defer r.prom.mu.Unlock()
	if late > 3 {
		t.Errorf("%d questions in vain", late)
	}
	for _, f := range find(report, "buckets", "") {
		if f.Status != doctor.Unknown || !strings.Contains(f.What, "in time") {
			t.Errorf("%+v", f)
		}
	}
	for _, f := range find(report, "query", "") {
		if f.Status != doctor.Problem || !strings.Contains(f.What, "timeout") {
			t.Errorf("%+v", f)
		}
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	r := newRig(t)
	r.rules = "mesh = 1"
	report := r.examine()
	if report.Count(doctor.Problem) == 0 || report.Findings[0].Check != "configuration" || !strings.Contains(report.Findings[0].Object, "shop.toml:1") {
		t.Errorf("%+v", report)
	}
	r.options.ConfigFile = filepath.Join(r.dir, "nothing.toml")
	if _, err := daemon.Doctor(t.Context(), r.options); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestJournalIsRead(t *testing.T) {
	r := newRig(t)
	j, _, err := journal.Open(daemon.JournalDirectory(filepath.Join(r.dir, "state")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if _, err := j.Append(epoch, "shop", journal.KindNote, journal.Note{Level: "info", Message: "x"}, true); err != nil {
		t.Fatal(err)
	}
	if found := find(r.examine(), "journal", ""); len(found) != 1 || found[0].Status != doctor.OK || !strings.Contains(found[0].What, "1 segment (1 records)") {
		t.Errorf("%+v", found)
	}
}

// What the rules files name has to read back, and what they do not may be deleted.
func TestArtefacts(t *testing.T) {
	r := newRig(t)
	store := daemon.ArtefactDirectory(filepath.Join(r.dir, "state"))
	var dirs []string
	for _, content := range []string{"a", "b", "c"} {
		dir, err := train.Write(store, train.Card{Policy: "tabular", Mesh: "shop"}, []byte(content), nil)
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	if err := os.Rename(dirs[1], filepath.Join(store, "mine")); err != nil {
		t.Fatal(err)
	}
	for name, artefact := range map[string]string{
		"good": filepath.Base(dirs[0]), "renamed": "state/artefacts/mine", "gone": "tabular-000000000000",
	} {
		r.rules += "\n[[policy]]\nname = \"" + name + "\"\nplugin = \"rules\"\nrole = \"candidate\"\nartefact = \"" + artefact + "\"\n"
	}
	report := r.examine()
	for object, want := range map[string]struct {
		status doctor.Status
		text   string
	}{
		"good": {doctor.OK, "reads back"}, "renamed": {doctor.Warning, "name of its content"}, "gone": {doctor.Problem, "no such file"},
		store: {doctor.OK, "1 artefact that no rules file names; they may be deleted, but for what a training is writing: " + filepath.Base(dirs[2])},
	} {
		found := find(report, "artefact", object)
		if len(found) != 1 || found[0].Status != want.status || !strings.Contains(found[0].What, want.text) {
			t.Errorf("%s: %+v, want %s with %q", object, found, want.status, want.text)
		}
	}
}
