package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is said of policies is said to the daemon that leads, and goes over with the lease: to
// one with nothing of its own, and to one that has lost what it knew.
func TestPromotionGoesOverWithTheLease(t *testing.T) {
	t.Parallel()
	r, c := sharing(t)
	r.rules("act", twoRules)
	c.hold("another")
	r.start()
	r.run(1)
	if err := r.promote("other", true); err == nil || !strings.Contains(err.Error(), "this daemon does not lead") || !strings.Contains(err.Error(), "another") {
		t.Errorf("standing by: error %v", err)
	}
	c.hold("")
	r.leads(c)
	if err := r.promote("other", true); err == nil || !strings.Contains(err.Error(), "ask again after its next cycle") && !strings.Contains(err.Error(), "does not lead") {
		t.Errorf("before it has taken over: error %v", err)
	}
	decidedBy(t, r.run(1)[0], 2, "simple")
	c.take()
	if err := r.promote("other", true); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.take(), ","); got != "PUT windvane" {
		t.Errorf("the promotion wrote %q, want the handover", got)
	}
	decidedBy(t, r.run(1)[0], 3, "other")
	r.stop()

	if err := os.Remove(filepath.Join(r.dir, "state", "roles.json")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.leads(c)
	decidedBy(t, r.run(1)[0], 4, "other")
	r.stop()

	r.write("windvane.toml", strings.Replace(readFile(t, r.dir+"/windvane.toml"), `"state"`, `"second"`, 1))
	r.start()
	r.leads(c)
	decidedBy(t, r.run(1)[0], 1, "other")
	for _, p := range r.daemon.Policies() {
		if p.Name == "other" && (p.By != "ann" || p.Reason != "it is better") {
			t.Errorf("taken over: %+v", p)
		}
	}
	if !strings.Contains(r.log.String(), "which held the lease: other is active, by ann: it is better") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}

	// Where it cannot be handed over, it is not in force.
	c.mu.Lock()
	c.full = true
	c.mu.Unlock()
	if err := r.demote("other"); err == nil || !strings.Contains(err.Error(), "hand over") {
		t.Errorf("with a full cluster: error %v", err)
	}
	if got := r.roles(); !strings.Contains(got, "other=canary") {
		t.Errorf("with a full cluster: %s", got)
	}
	c.mu.Lock()
	c.full = false
	c.mu.Unlock()
	r.run(1)
	if err := r.demote("other"); err != nil {
		t.Fatal(err)
	}
	if i := r.run(1)[0].Intent; i.Policy != "simple" {
		t.Errorf("%s decides, want simple", i.Policy)
	}
}
