package daemon_test

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/promotion"
)

// A shadow with the same settings wants the same in every cycle, another one does not; a
// promotion begins the count anew.
func TestAgreement(t *testing.T) {
	r := newRig(t, "act", thresholdActive+`
[[policy]]
name = "twin"
plugin = "rules"
role = "shadow"

[[policy]]
name = "bolder"
plugin = "rules"
role = "shadow"
settings = {raise_step = 0.4}
`)
	r.start()
	r.run(6)
	same := map[string]int{}
	for _, p := range r.daemon.Policies() {
		if p.Agrees != nil && p.Agrees.Cycles == 6 {
			same[p.Name] = p.Agrees.Same
		}
	}
	if len(same) != 2 || same["twin"] != 6 || same["bolder"] > 5 {
		t.Errorf("of 6 cycles the shadows wanted the same in %v", same)
	}
	if err := r.promote("twin", true); err != nil {
		t.Fatal(err)
	}
	r.run(1)
	for _, p := range r.daemon.Policies() {
		if a := p.Agrees; (p.Name == "bolder") != (a != nil) || a != nil && a.Cycles != 1 {
			t.Errorf("%s: %+v after the promotion", p.Name, a)
		}
	}
}

// What shadows have shown is in the journal when a block of cycles is whole: a restart and a reload
// go on from there, and the gate says item by item what is missing.
func TestEvidenceOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t, "act", twoRules+`
[[policy]]
name = "twin"
plugin = "rules"
role = "shadow"
`)
	cycles := func() int {
		for _, p := range r.daemon.Policies() {
			if p.Name == "twin" && p.Agrees != nil {
				return p.Agrees.Cycles
			}
		}
		return 0
	}
	r.start()
	r.run(promotion.BlockCycles)
	if want := `windvane_policy_gate_info{item="better",mesh="shop",policy="twin",state="not_enough_data"} 1`; !strings.Contains(r.metrics(), want) {
		t.Errorf("the metrics have no %s", want)
	}
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(1)
	if n := cycles(); n != promotion.BlockCycles+1 {
		t.Errorf("%d cycles are known after a reload", n)
	}
	r.stop()
	r.start()
	r.run(1)
	waitFor(t, "what was recorded is known again", func() bool { return cycles() == promotion.BlockCycles+1 })

	x, err := r.daemon.Policy("shop", "twin")
	if err != nil || len(x.Gate) != 7 || x.Gate[0].Item != promotion.Samples || x.Gate[0].State != promotion.TooFew || !strings.Contains(x.Gate[0].Why, "0 of 61 cycles, of 17280") {
		t.Errorf("gate %+v, %v", x.Gate, err)
	}
	err = r.promote("other", false)
	if err == nil || !strings.Contains(err.Error(), "it is candidate, and not asked; it needs role = \"shadow\"") || !strings.Contains(err.Error(), "gate_samples") {
		t.Errorf("a candidate that was never asked: error %v", err)
	}
}
