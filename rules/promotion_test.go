package rules

import (
	"strings"
	"testing"
	"time"
)

func TestPromotion(t *testing.T) {
	if m := guarded(t, ""); m.Promotion != DefaultPromotion {
		t.Errorf("without a table: %+v", m.Promotion)
	}
	m := guarded(t, "max_step = 0.4\nchanges_per_hour = 100\n[promotion]\nminimum = \"2d\"\nbetter_by = 0.02\ncanary_minimum = \"30m\"\ncanary_step = 0.6\n")
	want := DefaultPromotion
	want.Minimum, want.BetterBy, want.CanaryMinimum, want.CanaryStep = 48*time.Hour, .02, 30*time.Minute, .6
	if m.Promotion != want {
		t.Errorf("%+v, want %+v", m.Promotion, want)
	}
	c := m.Canary()
	if c.Guard.ChangesPerHour != 60 || c.Guard.MaxStep != .24 || m.Guard.MaxStep != .4 {
		t.Errorf("a canary has %d changes an hour with steps of %v", c.Guard.ChangesPerHour, c.Guard.MaxStep)
	}
	full := loadFull(t)
	full.Guard.MaxStep = .3
	coarsest := 0.
	for _, k := range full.Knobs() {
		if k.Levels > 1 && k.Max <= 1 {
			coarsest = max(coarsest, (k.Max-k.Min)/float64(k.Levels-1))
		}
	}
	if c := full.Canary(); c.Guard.MaxStep != min(.3, max(.15, coarsest)) {
		t.Errorf("a canary has steps of %v on a grid of %v", c.Guard.MaxStep, coarsest)
	}
}

func TestPromotionRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"canary_step = 0\n": "0 lets a canary change nothing", "confidence = 1.0\n": "confidence", "minimum = \"0s\"\n": "minimum", "gate = false\n": "unknown key",
	} {
		_, err := Parse("shop.toml", []byte("mesh = \"shop\"\n[promotion]\n"+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not say %q", text, err, want)
		}
	}
}
