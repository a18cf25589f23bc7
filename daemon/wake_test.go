package daemon_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/loop"
)

// alert posts one alert as Alertmanager does.
func (r *rig) alert(labels, status string) int {
	r.t.Helper()
	text := fmt.Sprintf(`{"version":"4","groupKey":"{}","status":%q,"receiver":"windvane","alerts":[{"status":%[1]q,"labels":{"alertname":"Slow"%s},
		"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"a1"}]}`, status, labels)
	answer, err := http.Post(r.url+"/api/v1/alerts", "application/json", strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// An alert has one cycle come between two that are due, is told by it and by those after
// it, and moves nothing of what is counted.
func TestAlertWakesTheLoop(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.early = 2 * time.Second
	r.start()
	r.run(4)
	before := r.run(1)[0]
	if code := r.alert(`,"mesh":"elsewhere"`, "firing"); code != http.StatusOK {
		t.Errorf("an alert of no mesh was answered %d", code)
	}
	if code := r.alert("", "firing"); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	reports := r.run(3)
	woken, cut, whole := reports[0], reports[1], reports[2]
	if woken.Intent.Woken != loop.WokenByAlert || woken.At.Sub(before.At) != 2*time.Second || cut.At.Sub(before.At) != 5*time.Second || cut.Intent.Woken != "" {
		t.Errorf("cycles at %v (%q), %v (%q) and %v (%q)", before.At, before.Intent.Woken, woken.At, woken.Intent.Woken, cut.At, cut.Intent.Woken)
	}
	if a := woken.Intent.Alerts; len(a) != 1 || a[0].Name != "Slow" {
		t.Errorf("alerts %v", a)
	}
	if !woken.Outcome.Partial || len(woken.Outcome.Errors) > 0 || len(cut.Outcome.Errors) != 2 || len(whole.Outcome.Errors) != 2 || whole.Outcome.Partial {
		t.Errorf("outcomes %+v, %+v, %+v", woken.Outcome, cut.Outcome, whole.Outcome)
	}
	for i, e := range whole.Control {
		if measured := e.Intervals - before.Control[i].Intervals; measured != 2 {
			t.Errorf("%d intervals of %s were measured, want 2", measured, e.Service)
		}
	}
	r.shows(woken.Intent.Cycle)

	r.alert("", "firing") // again: that is no news
	r.alert("", "resolved")
	if after := r.run(1)[0]; after.Intent.Woken != "" || len(after.Intent.Alerts) > 0 {
		t.Errorf("after the end of the alert: woken %q, alerts %v", after.Intent.Woken, after.Intent.Alerts)
	}
}

// shows holds status and explain to telling of the alert.
func (r *rig) shows(cycle uint64) {
	r.t.Helper()
	var b strings.Builder
	if err := r.daemon.Status().WriteText(&b); err != nil || !strings.Contains(b.String(), "alert: Slow since 2026-01-01T00:00:00Z") {
		r.t.Errorf("status (%v):\n%s", err, b.String())
	}
	e, err := explain.Cycle(daemon.JournalDirectory(r.dir+"/state"), "shop", cycle)
	if err != nil {
		r.t.Fatal(err)
	}
	b.Reset()
	if err := e.WriteText(&b); err != nil || !strings.Contains(b.String(), "alert: Slow since") || !strings.Contains(b.String(), "it came before its time, by an alert") {
		r.t.Errorf("explain (%v):\n%s", err, b.String())
	}
}

// An alert outlives a reload, and who may send changes with it.
func TestAlertsAndReload(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.start()
	r.run(1)
	if code := r.alert("", "firing"); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	r.write("secret", "s3cret")
	r.write("windvane.toml", fmt.Sprintf(configText, r.testbed.PrometheusURL())+"\n[alerts]\ncredentials_file = \"secret\"\n")
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := r.alert("", "resolved"); code != http.StatusUnauthorized {
		t.Errorf("answered %d, want 401: a secret is asked for now", code)
	}
	if got := r.run(1)[0].Intent.Alerts; len(got) != 1 {
		t.Errorf("alerts %v, want the one from before the reload", got)
	}
}
