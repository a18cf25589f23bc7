package daemon_test

import "testing"

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
	if err := r.promote("twin", false); err != nil {
		t.Fatal(err)
	}
	r.run(1)
	for _, p := range r.daemon.Policies() {
		if a := p.Agrees; (p.Name == "bolder") != (a != nil) || a != nil && a.Cycles != 1 {
			t.Errorf("%s: %+v after the promotion", p.Name, a)
		}
	}
}
