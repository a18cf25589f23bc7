package alerts

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// one is a message of one alert with a part replaced.
func one(t testing.TB, was, is string) string {
	t.Helper()
	text := body(t, 0, sent{name: "a", status: firing})
	if !strings.Contains(text, was) {
		t.Fatalf("%s is not in %s", was, text)
	}
	return strings.Replace(text, was, is, 1)
}

// hostile are bodies and the status that each is answered with.
func hostile(t testing.TB) map[string]int {
	var labels strings.Builder
	for i := range maxLabels + 1 {
		labels.WriteString(`"l` + strings.Repeat("x", i) + `":"y",`)
	}
	return map[string]int{
		"":                                400,
		"null":                            400,
		"[]":                              400,
		"{}":                              400,
		`"4"`:                             400,
		"\x00\xff":                        400,
		`{"version":"4"}`:                 400,
		`{"version":"4","alerts":null}`:   200,
		`{"alerts":[],"version":"4"}`:     200,
		`{"version":"3","alerts":[]}`:     400,
		`{"version":4,"alerts":[]}`:       400,
		`{"version":"4","alerts":{}}`:     400,
		`{"version":"4","alerts":[null]}`: 400,
		`{"version":"4","alerts":[{}]}`:   400,
		`{"version":"4","alerts":[]} {}`:  400,
		`{"version":"4","alerts":[]`:      400,
		`{"version":"4","alerts":[`:       400,
		one(t, `"status":"firing"`, `"status":"maybe"`):                            400,
		one(t, `"fp-a"`, `""`):                                                     400,
		one(t, `"fp-a"`, `"`+strings.Repeat("f", 65)+`"`):                          400,
		one(t, `"fp-a"`, `7`):                                                      400,
		one(t, `"alertname":"a"`, `"alertname":7`):                                 400,
		one(t, `"alertname":"a"`, labels.String()+`"alertname":"a"`):               413,
		one(t, `"2026-01-01T00:00:00Z"`, `"yesterday"`):                            400,
		one(t, `"2026-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`):                 400,
		one(t, `"2026-01-01T00:00:00Z"`, `"0000-01-01T00:00:00+10:00"`):            400,
		one(t, `"2026-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.9-10:00"`):          400,
		one(t, `"truncatedAlerts":0`, `"truncatedAlerts":-1`):                      400,
		one(t, `"truncatedAlerts":0`, `"truncatedAlerts":18446744073709551615`):    200,
		one(t, `"truncatedAlerts":0`, `"new":{"a":[1,{"b":null}]}`):                200,
		one(t, `"alertname":"a"`, `"alertname":"\ud800\u0000"`):                    200,
		`{"version":"4","alerts":` + strings.Repeat("[", 20000):                    400,
		`{"version":"4","more":` + strings.Repeat(`{"a":`, 20000):                  400,
		`{"version":"4","alerts":[],"pad":"` + strings.Repeat("x", maxBody) + `"}`: 413,
		strings.Repeat(" ", maxBody+1):                                             413,
	}
}

func TestHostileBodies(t *testing.T) {
	for text, want := range hostile(t) {
		r := newRig(t, Config{})
		if code := r.post(t, text); code != want {
			t.Errorf("%.300s: answered %d, want %d", text, code, want)
		}
		if want != http.StatusOK && len(r.woken) > 0 {
			t.Errorf("%.300s: woke %v", text, r.woken)
		}
	}
}

// Whatever comes in: what is kept of it is bounded, and can be written and read again.
func FuzzMessage(f *testing.F) {
	for text := range hostile(f) {
		if len(text) < 4096 {
			f.Add(text)
		}
	}
	f.Add(body(f, 5, sent{name: "a", status: firing, labels: map[string]string{"mesh": "shop", "severity": "page"}}, sent{name: "b", status: resolved, starts: 1, ends: 2}))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decode(strings.NewReader(text))
		if err != nil {
			if len(m.alerts) > 0 {
				t.Errorf("refused (%v), but with %d alerts", err, len(m.alerts))
			}
			return
		}
		s := newStore()
		for i := range m.alerts {
			m.alerts[i].meshes = []string{"shop"}
		}
		c, _, ok := s.keep(m, start, time.Hour)
		if n := c.firing + c.repeated + c.resolved + c.outdated; !ok || n != len(m.alerts) {
			t.Fatalf("%d of %d alerts are accounted for; kept: %v", n, len(m.alerts), ok)
		}
		list, more := s.of("shop", start)
		if len(list) > Listed || more < 0 {
			t.Fatalf("%d are listed, %d more", len(list), more)
		}
		b, err := json.Marshal(list)
		if err != nil || len(b) > Listed*(2+2*toldLabels)*(6*toldBytes+10) {
			t.Fatalf("%d bytes for people: %v", len(b), err)
		}
		for _, a := range list {
			if strings.ContainsAny(a.String(), "\x1b\n\r") {
				t.Fatalf("not safe to print: %q", a)
			}
		}
	})
}
