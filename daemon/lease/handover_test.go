package lease_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/lease"
)

const where = "/api/v1/namespaces/ns/configmaps/windvane"

func handover(t *testing.T, c *cluster) *lease.Handover {
	return lease.NewHandover(c.client(t, "any", nil), "ns", "windvane")
}

func read(t *testing.T, h *lease.Handover, mesh string) string {
	t.Helper()
	var out string
	if _, err := h.Read(t.Context(), mesh, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHandoverIsForTheNextOne(t *testing.T) {
	c := newCluster(t)
	a, b := handover(t, c), handover(t, c)
	if err := a.Write(t.Context(), "shop", "x"); !errors.Is(err, lease.ErrUnread) {
		t.Errorf("written before it was read: %v", err)
	}
	if got := read(t, a, "shop") + read(t, a, "bank"); got != "" {
		t.Errorf("found %q in an empty cluster", got)
	}
	for _, w := range []struct{ mesh, text string }{{"shop", "s1"}, {"bank", "b1"}, {"shop", "s2"}} {
		if err := a.Write(t.Context(), w.mesh, w.text); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, b, "shop") + read(t, b, "bank"); got != "s2b1" {
		t.Errorf("handed over %q", got)
	}
	// The next one writes: what the last one would write now is refused, until it has read.
	if err := b.Write(t.Context(), "shop", "s3"); err != nil {
		t.Fatal(err)
	}
	for _, mesh := range []string{"shop", "bank"} {
		if err := a.Write(t.Context(), mesh, "late"); !errors.Is(err, lease.ErrUnread) {
			t.Errorf("%s, written over another's: %v", mesh, err)
		}
	}
	read(t, a, "bank")
	if err := a.Write(t.Context(), "shop", "late"); !errors.Is(err, lease.ErrUnread) {
		t.Errorf("what was read of one mesh is not of another: %v", err)
	}
	if got := read(t, a, "shop") + read(t, a, "bank"); got != "s3b1" {
		t.Errorf("found %q", got)
	}
	if err := a.Write(t.Context(), "shop", "s4"); err != nil {
		t.Error(err)
	}
}

func TestHandoverIsNotGuessed(t *testing.T) {
	c := newCluster(t)
	h := handover(t, c)
	read(t, h, "shop")
	for _, mesh := range []string{"shop", "bank"} {
		if err := h.Write(t.Context(), mesh, strings.Repeat("what is there ", 3)); err != nil {
			t.Fatal(err)
		}
	}
	data := c.objects[where]["binaryData"].(map[string]any)
	whole, err := base64.StdEncoding.DecodeString(data["shop"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for i := 10; i <= len(whole); i++ { // in front of it is what gzip does not check
		damaged := append([]byte{}, whole...)
		if i < len(damaged) {
			damaged[i] ^= 0x10
		} else {
			damaged = damaged[:len(damaged)-1]
		}
		data["shop"] = base64.StdEncoding.EncodeToString(damaged)
		if _, err := h.Read(t.Context(), "shop", &text); err == nil || !strings.Contains(err.Error(), "kubectl delete configmap -n ns windvane") {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
	}
	read(t, h, "bank") // which is whole
	if err := h.Write(t.Context(), "bank", "more"); err != nil {
		t.Errorf("the other mesh: %v", err)
	}
	delete(c.objects[where]["metadata"].(map[string]any), "annotations")
	if _, err := h.Read(t.Context(), "bank", &text); err == nil || !strings.Contains(err.Error(), "not one that this windvane understands") {
		t.Errorf("a foreign one: %v", err)
	}
}

func TestHandoverHasABound(t *testing.T) {
	h := handover(t, newCluster(t))
	read(t, h, "shop")
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	err := h.Write(t.Context(), "shop", noise)
	if large, ok := errors.AsType[*lease.TooLargeError](err); !ok || large.Mesh != "shop" || large.Bytes < len(noise)*9/10 {
		t.Errorf("error %v", err)
	}
	if err := h.Write(t.Context(), "shop", "small"); err != nil {
		t.Errorf("after one too large: %v", err)
	}
}
