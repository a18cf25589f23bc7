package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/sim/testbed"
)

const crashWorkloads = `
[[workload]]
name = "node-v1"
deployment = "default/node-v1"
replicas = {minimum = 1, maximum = 4}
[[workload]]
name = "node-v2"
deployment = "default/node-v2"
replicas = {minimum = 1, maximum = 4}
`

// boundaries are the steps of a cycle as the world sees them: the child can be killed
// before each of them takes place, and after it, before it hears of it. What it does
// between two of them leaves no trace but in the journal: the outcome and the decision lie
// between the last read and the first dry run, the intent between the last dry run and
// the first write.
var boundaries = []string{
	"clock", "query", "get virtualservice", "get scale", "try virtualservice", "get deployment", "try scale",
	"patch virtualservice", "patch deployment", "put scale",
}

// write is a write that the API server has made.
type write struct {
	seq    uint64 // of the intent that was on disk before
	object string // path
}

// killer is between the child and the testbed. It lets cycles happen, and kills.
type killer struct {
	rig *rig
	dir string // of the journal

	mu     sync.Mutex
	child  *exec.Cmd
	left   int    // cycles
	at     string // boundary, "before …" or "after …", at which the child is killed; empty: nowhere
	skip   int    // of them that it survives
	killed bool
	writes []write
	faults []string

	// fail says what becomes of a request; nil: all is well. See failures.
	fail func() failure
}

// newKiller returns the killer before a rig that has acted for no cycle yet, and its URL, which
// the configuration of that name has in place of the testbed's.
func newKiller(t *testing.T, rules, config string) (*killer, string) {
	t.Helper()
	r := newRig(t, "act", rules)
	k := &killer{rig: r, dir: daemon.JournalDirectory(filepath.Join(r.dir, "state"))}
	server := httptest.NewServer(k)
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		server.Close()
	})
	r.write(config, fmt.Sprintf(configText, server.URL))
	r.write("kubeconfig", testbed.Kubeconfig(server.URL))
	if err := r.testbed.Advance(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	return k, server.URL
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	step := stepOf(r)
	if k.dies("before "+step) || step == "clock" && !k.advance(w) {
		return
	}
	var answer *http.Response
	failure := fine
	if k.fail != nil {
		failure = k.fail()
	}
	switch failure {
	case refused:
		http.Error(w, "the test says no", http.StatusServiceUnavailable)
		return
	case cut:
		panic(http.ErrAbortHandler)
	case fine, answerLost:
	}
	if step != "clock" {
		stores := strings.HasPrefix(step, "p")
		var intent uint64
		if stores {
			intent = k.intent(r.URL.Path)
		}
		if answer, err = k.forward(r, body); err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = answer.Body.Close() }() // it is copied below
		if stores && answer.StatusCode == http.StatusOK {
			k.mu.Lock()
			k.writes = append(k.writes, write{intent, r.Method + " " + r.URL.Path})
			k.mu.Unlock()
		}
	}
	if failure == answerLost {
		panic(http.ErrAbortHandler)
	}
	if k.dies("after " + step) {
		return
	}
	if step == "clock" {
		_, _ = fmt.Fprintln(w, k.rig.testbed.Now().Format(time.RFC3339))
		return
	}
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

func stepOf(r *http.Request) string {
	path := r.URL.Path
	verb := strings.ToLower(r.Method)
	if r.URL.Query().Has("dryRun") {
		verb = "try"
	}
	switch {
	case path == "/clock":
		return "clock"
	case strings.HasPrefix(path, "/api/v1/"):
		return "query"
	case strings.HasSuffix(path, "/scale"):
		return verb + " scale"
	case strings.Contains(path, "/deployments/"):
		return verb + " deployment"
	case strings.Contains(path, "/virtualservices/"):
		return verb + " virtualservice"
	}
	return verb + " other"
}

// dies kills the child if this is the place.
func (k *killer) dies(at string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed {
		return true
	}
	if at != k.at {
		return false
	}
	if k.skip--; k.skip >= 0 {
		return false
	}
	k.killed = true
	_ = k.child.Process.Kill()
	return true
}

// advance lets a cycle happen; false: there are no more.
func (k *killer) advance(http.ResponseWriter) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left < 0 {
		return false
	}
	if err := k.rig.testbed.Advance(5 * time.Second); err != nil {
		k.faults = append(k.faults, err.Error())
	}
	return true
}

// intent is the one on disk at a write: it acts, and has no outcome yet.
func (k *killer) intent(path string) uint64 {
	last, err := journal.Last(k.dir, 1, func(r journal.Record) bool { return r.Kind != journal.KindStart })
	var i journal.Intent
	if err == nil && len(last) == 1 && last[0].Kind == journal.KindIntent {
		err = last[0].Decode(&i)
	}
	if err != nil || !i.Act {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.faults = append(k.faults, fmt.Sprintf("a write to %s without an intent on disk: %+v, %v", path, last, err))
		return 0
	}
	return last[0].Seq
}

func (k *killer) forward(r *http.Request, body []byte) (*http.Response, error) {
	base := k.rig.testbed.KubernetesURL()
	if strings.HasPrefix(r.URL.Path, "/api/v1/") {
		base = k.rig.testbed.PrometheusURL()
	}
	// It is completed, whatever becomes of the child.
	q, err := http.NewRequestWithContext(context.Background(), r.Method, base+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header = r.Header.Clone()
	q.Header.Del("Accept-Encoding")
	return http.DefaultTransport.RoundTrip(q)
}

// run starts a child and waits for its end.
func (k *killer) run(t *testing.T, url, at string, skip, cycles int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	child := exec.Command(exe)
	child.Env = append(os.Environ(), "CRASH_TEST_CONFIG="+filepath.Join(k.rig.dir, "windvane.toml"), "CRASH_TEST_CLOCK="+url+"/clock")
	child.Stdout, child.Stderr = &log, &log
	k.mu.Lock()
	k.at, k.skip, k.left, k.killed, k.child = at, skip, cycles, false, child
	err = child.Start()
	k.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	err = child.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.killed && err != nil {
		t.Fatalf("the child ended by itself: %v\n%s", err, log.String())
	}
}

// The daemon is killed at every boundary of its cycle, with two actuators, and goes on
// where it was: no intent is lost, nothing is done twice, and the journal says what
// is. CRASH_TEST_KILLS=200 kills as often.
func TestKilledAtEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	kills := 2 * len(boundaries)
	if n, err := strconv.Atoi(os.Getenv("CRASH_TEST_KILLS")); err == nil {
		kills = n
	}
	k, url := newKiller(t, thresholdActive+crashWorkloads, "windvane.toml")
	where := map[string]int{}
	done := 0
	for i := 0; done < kills && i < 2*kills; i++ {
		at := []string{"before ", "after "}[i%2] + boundaries[i/2%len(boundaries)]
		round := i / (2 * len(boundaries))
		k.run(t, url, at, round%3, 4)
		if k.killed {
			where[at]++
			done++
		}
		if i%5 == 4 {
			k.tear(t)
		}
		if _, err := journal.Verify(k.dir); err != nil {
			t.Fatalf("killed %s: %v", at, err)
		}
	}
	k.run(t, url, "", 0, 2)
	for _, f := range k.faults {
		t.Error(f)
	}
	if done < kills {
		t.Errorf("%d kills, want %d", done, kills)
	}
	acted, results := k.audit(t)
	if results[journal.ResultUnknown] > 0 {
		t.Errorf("what became of an intent is unknown: %v", results)
	}
	t.Logf("%d kills: %v; %d intents acted: %v; %d writes", done, where, acted, results, len(k.writes))
	for _, b := range boundaries {
		if where["before "+b]+where["after "+b] == 0 && b != "patch deployment" { // which is made once for each
			t.Errorf("never killed at %s", b)
		}
	}
}

// tear leaves half a record behind the journal, as a power cut does.
func (k *killer) tear(t *testing.T) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(k.dir, "*.jsonl"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	f, err := os.OpenFile(segments[len(segments)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(`{"seq":99,"at":"2026-`)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}
