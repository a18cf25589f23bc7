package daemon

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

// Two daemons have a cycle of the same number at the same time: what the one has left is not in
// the other's journal.
func TestAnIntentIsKnownByWhatItSays(t *testing.T) {
	j, _, err := journal.Open(JournalDirectory(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	own := journal.Intent{PolicyRole: journal.RoleNone, Authority: "act", Control: json.RawMessage(`[{"a":1,"b":2.5}]`), Baseline: map[string]json.RawMessage{"x": json.RawMessage(`"<1>"`)}}
	for k := range 3 {
		own.Cycle = uint64(7 + k)
		if _, err := j.Append(at.Add(time.Duration(k)*time.Second), "shop", journal.KindIntent, &own, false); err != nil {
			t.Fatal(err)
		}
	}
	left := handover{Identity: "host_x", At: at.Add(2 * time.Second), Intent: leaveable(&own)}
	if has, err := hasIntent(j.Dir(), "shop", left); !has || err != nil {
		t.Errorf("its own is not known: %v", err)
	}
	for what, change := range map[string]func(*handover){
		"another's control state":    func(h *handover) { h.Intent.Control = json.RawMessage(`[{"a":1,"b":2.75}]`) },
		"another's baseline":         func(h *handover) { h.Intent.Baseline = nil },
		"one that stood by":          func(h *handover) { h.Intent.Authority = "observe" },
		"another number":             func(h *handover) { h.Intent.Cycle++ },
		"another time, in between":   func(h *handover) { h.At = h.At.Add(-time.Millisecond) },
		"another time, of the first": func(h *handover) { h.At = at },
	} {
		other := left
		change(&other)
		if has, err := hasIntent(j.Dir(), "shop", other); has || err != nil {
			t.Errorf("%s is taken for its own: %v", what, err)
		}
	}
}
