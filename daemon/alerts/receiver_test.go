package alerts

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/prometheus/model/labels"
)

const (
	firing   = "firing"
	resolved = "resolved"
)

// Messages come twice, late and out of order.
func TestEpisodesOfAnAlert(t *testing.T) {
	on := func(starts int) sent { return sent{name: "a", status: firing, starts: starts} }
	off := func(starts, ends int) sent { return sent{name: "a", status: resolved, starts: starts, ends: ends} }
	for name, tc := range map[string]struct {
		messages []sent
		fires    bool
		woken    int
		want     map[string]float64 // received by outcome, the others are 0
	}{
		"fires":                      {[]sent{on(1)}, true, 1, map[string]float64{"firing": 1}},
		"twice":                      {[]sent{on(1), on(1)}, true, 1, map[string]float64{"firing": 1, "repeated": 1}},
		"a peer saw it earlier":      {[]sent{on(5), on(1), off(1, 9)}, false, 1, map[string]float64{"firing": 1, "repeated": 1, "resolved": 1}},
		"resolved":                   {[]sent{on(1), off(1, 9)}, false, 1, map[string]float64{"firing": 1, "resolved": 1}},
		"resolved twice":             {[]sent{on(1), off(1, 9), off(1, 9)}, false, 1, map[string]float64{"firing": 1, "resolved": 1, "outdated": 1}},
		"late after the end":         {[]sent{off(1, 9), on(1)}, false, 0, map[string]float64{"resolved": 1, "outdated": 1}},
		"anew after the end":         {[]sent{on(1), off(1, 9), on(20)}, true, 2, map[string]float64{"firing": 2, "resolved": 1}},
		"anew, end not seen":         {[]sent{on(1), on(20)}, true, 2, map[string]float64{"firing": 2}},
		"late end of the one before": {[]sent{on(1), on(20), off(1, 9)}, true, 2, map[string]float64{"firing": 2, "outdated": 1}},
		"no end given":               {[]sent{on(1), off(1, 0)}, false, 1, map[string]float64{"firing": 1, "resolved": 1}},
		"said to have ended":         {[]sent{{name: "a", status: firing, starts: -9, ends: -1}}, true, 1, map[string]float64{"firing": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			for _, m := range tc.messages {
				if code := r.post(t, body(t, 0, m)); code != http.StatusOK {
					t.Fatalf("answered %d", code)
				}
			}
			if got := r.names() == "a"; got != tc.fires {
				t.Errorf("fires: %v, want %v", got, tc.fires)
			}
			if len(r.woken) != tc.woken {
				t.Errorf("woken %d times, want %d", len(r.woken), tc.woken)
			}
			if diff := cmp.Diff(tc.want, r.counted(t, "windvane_alerts_received_total")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneMessageWithAllOfThem(t *testing.T) {
	r := newRig(t, Config{})
	r.post(t, body(t, 3,
		sent{name: "a", status: firing, starts: 1}, sent{name: "a", status: firing, starts: 1},
		sent{name: "b", status: firing, starts: 2}, sent{name: "b", status: resolved, starts: 2, ends: 3}, sent{name: "c", status: firing, starts: 3}))
	if got := r.names(); got != "c a +3" {
		t.Errorf("firing: %q, want c, a, and the 3 that were left out", got)
	}
	if got := strings.Join(r.woken, " "); got != "shop" {
		t.Errorf("woken: %q, want shop once", got)
	}
	if got := r.counted(t, "windvane_alerts_truncated_total")[""]; got != 3 {
		t.Errorf("truncated %v, want 3", got)
	}
}

func TestAlertsExpire(t *testing.T) {
	r := newRig(t, Config{Expiry: 10 * time.Minute})
	r.post(t, body(t, 2, sent{name: "lost", status: firing}, sent{name: "ends", status: firing, ends: 120}))
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "ends lost +2"}, {2 * time.Minute, "lost +2"}, {10*time.Minute - 1, "lost +2"}, {10 * time.Minute, ""}} {
		r.now = start.Add(step.after)
		if got := r.names(); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
	if remembered, _ := r.store.size(r.now); remembered != 0 {
		t.Errorf("%d alerts are remembered after their time", remembered)
	}
	r.post(t, body(t, 0, sent{name: "lost", status: firing}))
	r.now = r.now.Add(9 * time.Minute)
	r.post(t, body(t, 0, sent{name: "lost", status: firing}))
	r.now = r.now.Add(9 * time.Minute)
	if got := r.names(); got != "lost" {
		t.Errorf("%q, want the alert that is repeated", got)
	}
}

func TestMeshOfAnAlert(t *testing.T) {
	r := newRig(t, Config{Meshes: []Mesh{
		{Name: "all"},
		{Name: "shop", Match: []*labels.Matcher{matcher(t, labels.MatchEqual, "namespace", "shop"), matcher(t, labels.MatchNotEqual, "severity", "info")}},
	}})
	for i, tc := range []struct {
		labels map[string]string
		want   string
	}{
		{nil, "all"},
		{map[string]string{"mesh": "shop"}, "shop"},
		{map[string]string{"mesh": "elsewhere", "namespace": "shop"}, ""},
		{map[string]string{"namespace": "shop"}, "all shop"},
		{map[string]string{"namespace": "shop", "mesh": ""}, "all shop"},
		{map[string]string{"namespace": "shop", "severity": "info"}, "all"},
		{map[string]string{"namespace": "other"}, "all"},
	} {
		r.woken = nil
		if code := r.post(t, body(t, 0, sent{name: strconv.Itoa(i), status: firing, labels: tc.labels})); code != http.StatusOK {
			t.Errorf("%v: answered %d", tc.labels, code)
		}
		if got := strings.Join(r.woken, " "); got != tc.want {
			t.Errorf("%v: of mesh %q, want %q", tc.labels, got, tc.want)
		}
	}
}

// Without room nothing of what fires is kept and the answer is 503, what is resolved is taken
// up, and room comes of it.
func TestFull(t *testing.T) {
	r := newRig(t, Config{})
	many := func(prefix string, n int) (out []sent) {
		for i := range n {
			out = append(out, sent{name: fmt.Sprintf("%s%03d", prefix, i), status: firing})
		}
		return out
	}
	if code := r.post(t, body(t, 0, many("a", Capacity-1)...)); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	two := body(t, 0, sent{name: "x", status: firing}, sent{name: "y", status: firing}, sent{name: "a000", status: resolved, ends: 5})
	remembered := func(want, wantFiring int) {
		t.Helper()
		if n, firing := r.store.size(r.now); n != want || firing != wantFiring {
			t.Errorf("%d are remembered, %d fire; want %d and %d", n, firing, want, wantFiring)
		}
	}
	if code := r.post(t, two); code != http.StatusOK {
		t.Errorf("answered %d, want 200: one was resolved", code)
	}
	remembered(Capacity, Capacity)
	three := body(t, 0, sent{name: "z", status: firing}, sent{name: "zz", status: firing}, sent{name: "x", status: resolved, ends: 5})
	if code := r.post(t, three); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503: there is room for one of two", code)
	}
	remembered(Capacity, Capacity-1)
	if code := r.post(t, body(t, 0, sent{name: "x", status: firing, starts: 2})); code != http.StatusOK {
		t.Errorf("answered %d, want 200: what is known needs no room", code)
	}
	if code := r.post(t, body(t, 0, sent{name: "y", status: resolved, ends: 5})); code != http.StatusOK {
		t.Errorf("answered %d", code)
	}
	if code := r.post(t, three); code != http.StatusOK {
		t.Errorf("answered %d, want 200: it was sent again after one was resolved", code)
	}
	remembered(Capacity, Capacity)
	r.now = start.Add(time.Hour)
	if code := r.post(t, body(t, 0, many("b", Capacity)...)); code != http.StatusOK {
		t.Errorf("answered %d, want 200: the others have expired", code)
	}
	if code := r.post(t, body(t, 0, many("c", Capacity+1)...)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d, want 413: it could never be kept", code)
	}
}

func TestWhoMaySend(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bearer := Secrets{CredentialsFile: write("token", "s3cret\n")}
	basic := Secrets{Username: "am", PasswordFile: write("password", "pass word\n")}
	both := Secrets{CredentialsFile: bearer.CredentialsFile, Username: "am", PasswordFile: basic.PasswordFile}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	password := func(name, word string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, word) }
	}
	for name, tc := range map[string]struct {
		secrets Secrets
		from    string
		change  func(*http.Request)
		want    int
	}{
		"loopback":        {Secrets{}, "127.0.0.1:1", nil, 200},
		"loopback 6":      {Secrets{}, "[::1]:1", nil, 200},
		"another machine": {Secrets{}, "192.0.2.1:1", nil, 403},
		"no address":      {Secrets{}, "@", nil, 403},
		"who may act":     {bearer, "@", func(r *http.Request) { r.Header.Set("Test-Known", "yes") }, 200},
		"a web page":      {Secrets{}, "127.0.0.1:1", header("Origin", "http://127.0.0.1"), 403},
		"a web page, with the secret": {bearer, "127.0.0.1:1", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Authorization", "Bearer s3cret")
		}, 403},
		"through a proxy":      {Secrets{}, "127.0.0.1:1", header("X-Forwarded-For", "192.0.2.1"), 403},
		"no secret":            {bearer, "127.0.0.1:1", nil, 401},
		"bearer":               {bearer, "192.0.2.1:1", header("Authorization", "Bearer s3cret"), 200},
		"bearer, wrong":        {bearer, "192.0.2.1:1", header("Authorization", "Bearer s3cre"), 401},
		"bearer, empty":        {bearer, "192.0.2.1:1", header("Authorization", "Bearer "), 401},
		"bearer, not basic":    {bearer, "192.0.2.1:1", password("", "s3cret"), 401},
		"basic":                {basic, "192.0.2.1:1", password("am", "pass word"), 200},
		"basic, wrong name":    {basic, "192.0.2.1:1", password("an", "pass word"), 401},
		"basic, wrong word":    {basic, "192.0.2.1:1", password("am", "pass"), 401},
		"both, by bearer":      {both, "192.0.2.1:1", header("Authorization", "Bearer s3cret"), 200},
		"both, by basic":       {both, "192.0.2.1:1", password("am", "pass word"), 200},
		"an empty secret":      {Secrets{CredentialsFile: write("empty", "\n")}, "127.0.0.1:1", header("Authorization", "Bearer "), 503},
		"no file":              {Secrets{CredentialsFile: filepath.Join(dir, "none")}, "127.0.0.1:1", header("Authorization", "Bearer x"), 503},
		"basic without a file": {Secrets{Username: "am", PasswordFile: filepath.Join(dir, "none")}, "127.0.0.1:1", password("am", ""), 503},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{Secrets: tc.secrets})
			req := httptest.NewRequest(http.MethodPost, "/api/v1/alerts", strings.NewReader(body(t, 0, sent{name: "a", status: firing})))
			req.RemoteAddr = tc.from
			if tc.change != nil {
				tc.change(req)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != tc.want {
				t.Fatalf("answered %d (%s), want %d", w.Code, strings.TrimSpace(w.Body.String()), tc.want)
			}
			if kept := r.names() == "a"; kept != (tc.want == 200) {
				t.Errorf("kept: %v", kept)
			}
			if (w.Body.Len() == 0) != (tc.want == 200) {
				t.Errorf("body %q", w.Body)
			}
		})
	}
}

func TestNotConfigured(t *testing.T) {
	r := newRig(t, Config{})
	r.config.Store(nil)
	if code := r.post(t, body(t, 0)); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", code)
	}
}

// What is told of an alert is bounded, and safe to print.
func TestTold(t *testing.T) {
	set := map[string]string{"alertname": "Slow\x1b[31m", "severity": "page", "service": strings.Repeat("é", 200), "mesh": "shop", "zone": "z"}
	for _, c := range "abcdefghij" {
		set[string(c)] = "x"
	}
	r := newRig(t, Config{})
	r.post(t, body(t, 0, sent{name: "one", status: firing, labels: set}))
	list, _ := r.Firing("shop")
	if len(list) != 1 || list[0].Name != "Slow?[31m" {
		t.Fatalf("told: %v", list)
	}
	want := map[string]string{"severity": "page", "service": strings.Repeat("é", 62) + "…", "a": "x", "b": "x", "c": "x", "d": "x", "e": "x", "f": "x"}
	if diff := cmp.Diff(want, maps.Clone(list[0].Labels)); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsAreLinted(t *testing.T) {
	r := newRig(t, Config{})
	r.post(t, body(t, 0, sent{name: "a", status: firing, labels: map[string]string{"service": "hostile"}}))
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	for _, f := range families {
		if strings.Contains(f.String(), "hostile") {
			t.Errorf("a label of an alert is in %s", f.GetName())
		}
	}
}

// A message that breaks off on its way may be sent again.
func TestMessageThatDoesNotArrive(t *testing.T) {
	r := newRig(t, Config{})
	text := body(t, 0, sent{name: "a", status: firing})
	req := httptest.NewRequest(http.MethodPost, "/api/v1/alerts", io.MultiReader(strings.NewReader(text[:len(text)/2]), iotest.ErrReader(os.ErrDeadlineExceeded)))
	req.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != http.StatusServiceUnavailable || r.names() != "" {
		t.Errorf("answered %d, kept %q", w.Code, r.names())
	}
}
