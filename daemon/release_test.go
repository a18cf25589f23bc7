package daemon_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
)

const shopPath = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/shop"

// object reads the VirtualService, without what the API server counts.
func (r *rig) object() map[string]any {
	r.t.Helper()
	out := r.kubernetes(http.MethodGet, shopPath, "", "")
	meta := out["metadata"].(map[string]any)
	delete(meta, "resourceVersion")
	delete(meta, "generation")
	if a, ok := meta["annotations"].(map[string]any); ok && len(a) == 0 { // which an API server leaves out
		delete(meta, "annotations")
	}
	return out
}

// kubernetes sends a request as kubectl does.
func (r *rig) kubernetes(method, path, contentType, body string) map[string]any {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.testbed.KubernetesURL()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Content-Type", contentType)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	raw, err := io.ReadAll(answer.Body)
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, raw, err)
	}
	return out
}

func (r *rig) release(change func(*daemon.ReleaseOptions)) ([]daemon.ReleasedMesh, error) {
	o := daemon.ReleaseOptions{ConfigFile: filepath.Join(r.dir, "windvane.toml"), At: epoch}
	if change != nil {
		change(&o)
	}
	return daemon.Release(r.t.Context(), o)
}

// With the daemon dead, a release leaves what would be there had it never run, and what
// others did meanwhile; and the daemon starts afresh.
func TestReleaseWithTheDaemonDead(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	before := r.object()
	r.start()
	r.run(10)
	if _, err := r.release(nil); err == nil || !strings.Contains(err.Error(), "in use by another windvane") || !strings.Contains(err.Error(), "--running") {
		t.Errorf("beside a running daemon: %v", err)
	}
	r.kubernetes(http.MethodPatch, shopPath, "application/json-patch+json", `[{"op":"add","path":"/metadata/labels","value":{"theirs":"yes"}},{"op":"add","path":"/spec/http/0/timeout","value":"9s"}]`)
	r.run(10)
	r.stop()
	if cmp.Equal(before["spec"], r.object()["spec"]) {
		t.Fatal("nothing was changed: the test shows nothing")
	}
	before["metadata"].(map[string]any)["labels"] = map[string]any{"theirs": "yes"}
	before["spec"].(map[string]any)["http"].([]any)[0].(map[string]any)["timeout"] = "9s"

	dry, err := r.release(func(o *daemon.ReleaseOptions) { o.DryRun = true })
	if err != nil || len(dry) != 1 || len(dry[0].Objects) != 1 || len(dry[0].Objects[0].Kubectl) != 1 {
		t.Fatalf("dry run: %+v, %v", dry, err)
	}
	if cmp.Equal(before, r.object()) {
		t.Fatal("the dry run wrote something")
	}
	got, err := r.release(nil)
	if err != nil || !got[0].Objects[0].Changed || got[0].Objects[0].Baseline != "journal" {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := cmp.Diff(before, r.object()); d != "" {
		t.Errorf("released (-as without windvane +got):\n%s", d)
	}
	records, err := journal.Last(daemon.JournalDirectory(filepath.Join(r.dir, "state")), 1, nil)
	if err != nil || len(records) != 1 || records[0].Kind != journal.KindRelease {
		t.Errorf("the journal ends in %+v, %v", records, err)
	}
	if got, err = r.release(func(o *daemon.ReleaseOptions) { o.Mesh = "shop" }); err != nil || got[0].Objects[0].Changed {
		t.Errorf("released again: %+v, %v", got, err)
	}
	r.start()
	for _, report := range r.run(3) {
		if report.Intent.Hold == loop.HoldDrift {
			t.Errorf("cycle %d takes the release for somebody else's change", report.Intent.Cycle)
		}
	}
}

// The command that a dry run prints does what the release does.
func TestReleaseByKubectl(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	before := r.object()
	r.start()
	r.run(10)
	r.stop()
	dry, err := r.release(func(o *daemon.ReleaseOptions) { o.DryRun = true })
	if err != nil {
		t.Fatal(err)
	}
	line := dry[0].Objects[0].Kubectl[0]
	_, patch, ok := strings.Cut(line, " -p '")
	if !ok || !strings.HasPrefix(line, "kubectl -n default patch virtualservices.networking.istio.io shop --type=json -p '[") {
		t.Fatal(line)
	}
	r.kubernetes(http.MethodPatch, shopPath, "application/json-patch+json", strings.TrimSuffix(patch, "'"))
	if d := cmp.Diff(before, r.object()); d != "" {
		t.Errorf("by kubectl (-as without windvane +got):\n%s", d)
	}
}

// With the journal damaged the annotation says what was there.
func TestReleaseWithTheJournalDamaged(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	before := r.object()
	r.start()
	r.run(10)
	r.stop()
	const segment = "state/journal/00000001.jsonl"
	r.write(segment, strings.ReplaceAll(readFile(t, filepath.Join(r.dir, segment)), `"kind":"intent"`, `"kind":"intern"`))
	got, err := r.release(nil)
	if err != nil || !strings.Contains(got[0].Journal, "00000001.jsonl") || got[0].Objects[0].Baseline != "annotation" || !got[0].Objects[0].Changed {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := cmp.Diff(before, r.object()); d != "" {
		t.Errorf("released (-as without windvane +got):\n%s", d)
	}
}

func TestReleaseRefusesOverDrift(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	before := r.object()
	r.start()
	r.run(10)
	r.kubernetes(http.MethodPatch, shopPath, "application/json-patch+json", `[{"op":"add","path":"/spec/http/0/route/0/weight","value":3},{"op":"add","path":"/spec/http/0/route/1/weight","value":97}]`)
	reports := r.run(3)
	for _, report := range reports {
		if report.Intent.Hold != loop.HoldDrift || report.Intent.Act {
			t.Errorf("cycle %d: hold %q over somebody else's change", report.Intent.Cycle, report.Intent.Hold)
		}
	}
	r.stop()
	got, err := r.release(nil)
	if err == nil || !strings.Contains(err.Error(), "mesh shop: VirtualService default/shop: ") || !strings.Contains(err.Error(), "others have changed") || got[0].Objects[0].Changed {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = r.release(func(o *daemon.ReleaseOptions) { o.Force = true }); err != nil || !got[0].Objects[0].Changed {
		t.Fatalf("forced: %+v, %v", got, err)
	}
	if d := cmp.Diff(before, r.object()); d != "" {
		t.Errorf("forced (-as without windvane +got):\n%s", d)
	}
	if _, err := r.release(func(o *daemon.ReleaseOptions) { o.Mesh = "shoe" }); err == nil || !strings.Contains(err.Error(), `did you mean "shop"?`) {
		t.Errorf("a mesh that is not there: %v", err)
	}
}
