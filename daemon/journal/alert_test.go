package journal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Alerts read back as they were written, however they come and go from one intent to the next.
func TestAlertsReadBack(t *testing.T) {
	slow := Alert{Name: "Slow", Fingerprint: "a", StartsAt: start, Labels: map[string]string{"severity": "page"}}
	down := Alert{Name: "Down", Fingerprint: "b", StartsAt: start.Add(time.Minute)}
	want := [][]Alert{nil, {slow}, {slow}, {down, slow}, {down}, nil, nil, {slow}}
	dir := t.TempDir()
	j := mustOpen(t, dir)
	for i, list := range want {
		if _, err := j.Append(start, "shop", KindIntent, &Intent{Cycle: uint64(i + 1), Alerts: list}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var got [][]Alert
	for r, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		var i Intent
		if err := r.Decode(&i); err != nil {
			t.Fatal(err)
		}
		got = append(got, i.Alerts)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
