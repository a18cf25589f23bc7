package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/sim/testbed"
)

// sharedCluster stands before the testbed's API server, and keeps Leases and ConfigMaps.
type sharedCluster struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string]map[string]any // by path
	version int
	log     []string // of what was written, without the Lease and what was only tried
	full    bool     // no ConfigMap is taken
}

const (
	leasePath    = "/apis/coordination.k8s.io/v1/namespaces/default/leases/windvane"
	handoverPath = "/api/v1/namespaces/default/configmaps/windvane"
)

func newSharedCluster(t *testing.T, target string) *sharedCluster {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: transport}
	c := &sharedCluster{objects: map[string]map[string]any{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		kept := strings.Contains(q.URL.Path, "/leases") || strings.Contains(q.URL.Path, "/configmaps")
		c.mu.Lock()
		if q.Method != http.MethodGet && !q.URL.Query().Has("dryRun") && !strings.Contains(q.URL.Path, "/leases") {
			c.log = append(c.log, q.Method+" "+path.Base(q.URL.Path))
		}
		c.mu.Unlock()
		if !kept {
			forward.ServeHTTP(w, q)
			return
		}
		c.keep(w, q)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *sharedCluster) keep(w http.ResponseWriter, q *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(code int, reason string) {
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"it is %[1]s"}`, reason, code)
	}
	body, _ := io.ReadAll(q.Body)
	var o map[string]any
	_ = json.Unmarshal(body, &o) // of a GET there is none
	at := q.URL.Path
	meta, _ := o["metadata"].(map[string]any)
	if q.Method == http.MethodPost {
		at = path.Join(at, meta["name"].(string))
	}
	stored, found := c.objects[at]
	switch {
	case q.Method != http.MethodPost && !found:
		refuse(http.StatusNotFound, "NotFound")
		return
	case q.Method != http.MethodGet && c.full && at == handoverPath:
		refuse(http.StatusInsufficientStorage, "Full")
		return
	case q.Method == http.MethodPut && meta["resourceVersion"] != stored["metadata"].(map[string]any)["resourceVersion"]:
		refuse(http.StatusConflict, "Conflict")
		return
	case q.Method == http.MethodGet:
		o = stored
	default:
		c.version++
		meta["resourceVersion"] = strconv.Itoa(c.version)
		c.objects[at] = o
	}
	_ = json.NewEncoder(w).Encode(o)
}

// hold has somebody hold the lease; nobody with an empty name.
func (c *sharedCluster) hold(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	c.objects[leasePath] = map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{"namespace": "default", "name": "windvane", "resourceVersion": strconv.Itoa(c.version)},
		"spec":     map[string]any{"holderIdentity": who, "leaseDurationSeconds": 600, "acquireTime": now, "renewTime": now, "leaseTransitions": 1},
	}
}

func (c *sharedCluster) holder() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	spec, _ := c.objects[leasePath]["spec"].(map[string]any)
	who, _ := spec["holderIdentity"].(string)
	return who
}

func (c *sharedCluster) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.log
	c.log = nil
	return out
}

// sharing is a rig whose daemon shares a lease.
func sharing(t *testing.T) (*rig, *sharedCluster) {
	r := newRig(t, "act", thresholdActive)
	c := newSharedCluster(t, r.testbed.KubernetesURL())
	r.write("kubeconfig", testbed.Kubeconfig(c.URL))
	r.write("windvane.toml", fmt.Sprintf(configText, r.testbed.PrometheusURL())+"\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\nduration = \"3s\"\n")
	return r, c
}

// leads waits until the daemon holds the lease.
func (r *rig) leads(c *sharedCluster) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); c.holder() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("the daemon does not get the lease; log:\n%s", r.log)
		}
	}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(r.source(), "this daemon holds the lease"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("the daemon does not know that it has the lease: %s", r.source())
		}
	}
}

// source is what status says of the lease.
func (r *rig) source() string {
	for _, s := range r.daemon.Status().Meshes[0].Sources {
		if s.Source == authority.SourceStandby {
			return s.String()
		}
	}
	return ""
}

// The stand-by decides and writes nothing, says who holds the lease, and acts when that is gone:
// what it does is handed over before it is done, and after a stop the next one goes on from there.
func TestStandbyTakesOver(t *testing.T) {
	r, c := sharing(t)
	before := r.object()
	c.hold("other")
	r.start()
	for _, x := range r.run(4) {
		if x.Intent.Act || x.Intent.Authority != "observe" || x.Intent.Policy == "" {
			t.Fatalf("stood by with %+v", x.Intent)
		}
	}
	if got := r.source(); !strings.Contains(got, "other") || !strings.Contains(got, "this daemon stands by") {
		t.Errorf("status says %q", got)
	}
	if got := c.take(); len(got) > 0 {
		t.Fatalf("the stand-by wrote %v", got)
	}
	if holds, transitions := r.leader(); holds != 0 || transitions != 0 {
		t.Errorf("standing by: windvane_leader %v after %v transitions", holds, transitions)
	}
	c.hold("")
	r.leads(c)
	r.acted()
	if holds, transitions := r.leader(); holds != 1 || transitions != 1 {
		t.Errorf("acting: windvane_leader %v after %v transitions", holds, transitions)
	}
	log := c.take()
	i := slices.IndexFunc(log, func(s string) bool { return s == "PATCH shop" })
	if i < 1 || log[i-1] != "PUT windvane" {
		t.Errorf("written %v: no patch with the handover in front", log)
	}
	baseline := r.run(1)[0].Intent.Baseline
	if len(baseline) == 0 {
		t.Fatal("nothing was kept of what was there before")
	}
	r.stop()
	if who := c.holder(); who != "" {
		t.Errorf("after the stop %s holds the lease", who)
	}
	if holds, transitions := r.leader(); holds != 0 || transitions != 1 {
		t.Errorf("after the stop: windvane_leader %v after %v transitions", holds, transitions)
	}

	// Another daemon, with nothing of its own: the settings that it finds are those of the first,
	// and what was there before them is known.
	r.write("windvane.toml", strings.Replace(fmt.Sprintf(configText, r.testbed.PrometheusURL()), `"state"`, `"other"`, 1)+
		"\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\nduration = \"3s\"\n")
	r.start()
	r.leads(c)
	got := r.run(1)[0].Intent
	if len(got.Baseline) != len(baseline) || len(got.Drift) > 0 || got.Authority != "act" {
		t.Errorf("went on at %s with baselines of %d objects, want %d, and drift %v", got.Authority, len(got.Baseline), len(baseline), got.Drift)
	}
	for object, was := range baseline {
		if string(got.Baseline[object]) != string(was) {
			t.Errorf("%s: baseline %s, want %s", object, got.Baseline[object], was)
		}
	}

	// So does a release, of whichever files; and the next one after that knows.
	r.stop()
	r.write("windvane.toml", strings.Replace(r.read("windvane.toml"), `"other"`, `"third"`, 1))
	if _, err := r.release(nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, r.object()); d != "" {
		t.Errorf("after the release (-before +got):\n%s", d)
	}
	r.start()
	r.leads(c)
	if got := r.run(1)[0].Intent; len(got.Drift) > 0 || got.Hold == loop.HoldDrift {
		t.Errorf("after the release: hold %q, drift %v", got.Hold, got.Drift)
	}
}

// What cannot be handed over is not done, and what was left and cannot be read is not guessed.
func TestNothingIsDoneWithoutTheHandover(t *testing.T) {
	r, c := sharing(t)
	c.full = true
	r.start()
	r.leads(c)
	reports := r.run(6)
	if got := join(holds(reports)); !strings.Contains(got, "journal") {
		t.Errorf("holds %s", got)
	}
	if log := c.take(); slices.Contains(log, "PATCH shop") {
		t.Errorf("written %v", log)
	}
	c.mu.Lock()
	c.full = false
	c.objects[handoverPath] = map[string]any{"metadata": map[string]any{"name": "windvane", "resourceVersion": "x"}}
	c.mu.Unlock()
	for _, x := range r.run(3) {
		if x.Intent.Act {
			t.Fatal("it acts, though it does not know what was left")
		}
	}
	if got := r.source(); !strings.Contains(got, "kubectl delete configmap -n default windvane") {
		t.Errorf("status says %q", got)
	}
	c.mu.Lock()
	delete(c.objects, handoverPath)
	c.mu.Unlock()
	r.acted()
}

// What a person said to the holder holds for the next one, though it was said in files of the
// holder's.
func TestAStopGoesOverWithTheLease(t *testing.T) {
	r, c := sharing(t)
	r.start()
	r.leads(c)
	r.acted()
	if err := r.daemon.SetAuthority(t.Context(), "shop", "observe", "alice"); err != nil {
		t.Fatal(err)
	}
	r.run(1)
	r.stop()
	r.write("windvane.toml", strings.Replace(fmt.Sprintf(configText, r.testbed.PrometheusURL()), `"state"`, `"other"`, 1)+
		"\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\nduration = \"3s\"\n")
	r.start()
	r.leads(c)
	got := r.run(2)[1].Intent
	if got.Authority != "observe" || !slices.ContainsFunc(got.Sources, func(s journal.AuthoritySource) bool {
		return s.Source == authority.SourceCommand && strings.HasPrefix(s.By, "alice (command of ")
	}) {
		t.Errorf("authority %s by %v", got.Authority, got.Sources)
	}
}

// What others change while a daemon starts again and stands by is theirs, as it is without a
// lease: the settings are not taken for given away because it may not act for a moment.
func TestAStandbyKnowsWhatOthersHaveChanged(t *testing.T) {
	r, c := sharing(t)
	r.start()
	r.leads(c)
	r.acted()
	r.stop()
	r.kubernetes(http.MethodPatch, shopPath, "application/json-patch+json", `[{"op":"add","path":"/spec/http/0/route/0/weight","value":3},{"op":"add","path":"/spec/http/0/route/1/weight","value":97}]`)
	c.hold("other")
	r.start()
	r.run(2)
	c.hold("")
	r.leads(c)
	for _, x := range r.run(2) {
		if x.Intent.Hold != loop.HoldDrift || x.Intent.Act {
			t.Errorf("cycle %d: hold %q over somebody else's change, at %s", x.Intent.Cycle, x.Intent.Hold, x.Intent.Authority)
		}
	}
}

func TestReloadKeepsTheLease(t *testing.T) {
	r, c := sharing(t)
	with := r.read("windvane.toml")
	r.start()
	r.leads(c)
	r.acted()
	for _, change := range []struct{ was, is, want string }{
		{`duration = "3s"`, `duration = "9s"`, "[lease] changed; restart for that"},
		{`timeout = "1m"` + "\n\n[plugin.rules]", `timeout = "2m"` + "\n\n[plugin.rules]", "[kubernetes] changed, by which the lease is held"},
	} {
		r.write("windvane.toml", strings.Replace(with, change.was, change.is, 1))
		if err := r.daemon.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s: %v", change.is, err)
		}
	}
	r.write("windvane.toml", with)
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.run(1)[0].Intent; got.Authority != "act" || len(got.Baseline) == 0 || len(got.Drift) > 0 {
		t.Errorf("after a reload: %s, %d baselines, drift %v", got.Authority, len(got.Baseline), got.Drift)
	}
}
