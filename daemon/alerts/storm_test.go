package alerts

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sender sends what Alertmanager and others may, about alerts of its own, and remembers
// which of them fire by the messages that were accepted.
type sender struct {
	id      int
	rng     *rand.Rand
	rig     *rig
	episode map[int]int // by alert: startsAt of its newest episode
	fires   map[int]bool
	bad     []string
	answers map[int]int
	sent    int
}

const (
	senders   = 40
	posts     = 10_000
	parts     = 5
	ownAlerts = 34 // of each sender: with all of them firing there is no room
)

// run sends until n messages were sent: of one or two alerts each that fire or are
// resolved, some of them twice, and garbage in between.
func (s *sender) run(t *testing.T, n int) {
	for s.sent < n {
		if s.rng.IntN(4) == 0 {
			s.send(t, s.bad[s.rng.IntN(len(s.bad))], s.rng.IntN(3) > 0)
			continue
		}
		alerts := s.alerts()
		text := body(t, s.rng.IntN(2), alerts...)
		for range 1 + s.rng.IntN(2) {
			if s.send(t, text, true) != http.StatusOK {
				continue
			}
			for _, a := range alerts {
				s.fires[s.number(a)] = a.status == firing
			}
		}
	}
}

func (s *sender) number(a sent) (n int) {
	_, _ = fmt.Sscanf(a.name, fmt.Sprintf("s%d-%%d", s.id), &n)
	return n
}

// alerts changes whether one or two of the alerts fire.
func (s *sender) alerts() (out []sent) {
	first := s.rng.IntN(ownAlerts)
	for _, k := range []int{first, (first + 1) % ownAlerts}[:1+s.rng.IntN(2)] {
		a := sent{name: fmt.Sprintf("s%d-%d", s.id, k), status: firing, starts: s.episode[k], labels: map[string]string{"pad": strings.Repeat("p", s.rng.IntN(500))}}
		switch {
		case s.fires[k] && s.rng.IntN(3) == 0:
			a.status, a.ends = resolved, s.episode[k]+1
		case !s.fires[k]:
			s.episode[k] += 2
			a.starts = s.episode[k]
		}
		out = append(out, a)
	}
	return out
}

func (s *sender) send(t *testing.T, text string, known bool) int {
	req := httptest.NewRequest(http.MethodPost, "/api/v1/alerts", strings.NewReader(text))
	req.RemoteAddr = "192.0.2.1:1"
	if known {
		req.Header.Set("Authorization", "Bearer s3cret")
	}
	w := httptest.NewRecorder()
	s.rig.ServeHTTP(w, req)
	s.answers[w.Code]++
	s.sent++
	if !known && w.Code != http.StatusUnauthorized {
		t.Errorf("a stranger was answered %d", w.Code)
	}
	return w.Code
}

// Under a storm nothing is lost that was answered 200, every answer is one that Alertmanager
// understands as it is meant, and memory stays as it is.
func TestStorm(t *testing.T) {
	secret := writeSecret(t, "s3cret")
	r := newRig(t, Config{Secrets: Secrets{CredentialsFile: secret}})
	r.o.Wake = func(string) {}
	var bad []string
	for text, status := range hostile(t) {
		if status != http.StatusOK && len(text) < 1<<20 {
			bad = append(bad, text)
		}
	}
	slices.Sort(bad)
	var all []*sender
	for i := range senders {
		all = append(all, &sender{
			id: i, rng: rand.New(rand.NewPCG(1000, uint64(i))), rig: r, episode: map[int]int{}, fires: map[int]bool{}, answers: map[int]int{}, bad: bad,
		})
	}
	var heap []uint64
	for part := range parts {
		var wg sync.WaitGroup
		for _, s := range all {
			wg.Go(func() { s.run(t, (part+1)*posts/senders/parts) })
		}
		wg.Wait()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = append(heap, m.HeapAlloc)
	}
	if remembered, _ := r.store.size(r.now); remembered > Capacity {
		t.Errorf("%d alerts are remembered, more than %d", remembered, Capacity)
	}
	answers := map[int]int{}
	for _, s := range all {
		for code, n := range s.answers {
			answers[code] += n
		}
		r.checkSender(t, s)
	}
	t.Logf("answers %v; heap after each part, in KiB: %v", answers, kib(heap))
	for code := range answers {
		if !slices.Contains([]int{200, 400, 401, 403, 413, 503}, code) {
			t.Errorf("answered %d", code)
		}
	}
	for _, code := range []int{200, 400, 401, 413, 503} {
		if answers[code] == 0 {
			t.Errorf("the storm had no answer %d", code)
		}
	}
	if least, most := slices.Min(heap), slices.Max(heap); most > least+2<<20 {
		t.Errorf("the heap is not flat: %v KiB", kib(heap))
	}
}

func kib(bytes []uint64) (out []uint64) {
	for _, b := range bytes {
		out = append(out, b>>10)
	}
	return out
}

// checkSender holds what is remembered of a sender's alerts against what it was told.
func (r *rig) checkSender(t *testing.T, s *sender) {
	t.Helper()
	for k, fires := range s.fires {
		e, known := r.store.find(fmt.Sprintf("fp-s%d-%d", s.id, k), r.now)
		if got := known && e.ended.IsZero(); got != fires {
			t.Errorf("alert %d of sender %d fires: %v, want %v", k, s.id, got, fires)
		}
	}
}
