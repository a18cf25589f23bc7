package loadgen_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/sim/load"
)

func TestWaitingIsNotLeftOut(t *testing.T) {
	// A server that stands still for a while: who was due meanwhile has waited.
	const still = 300 * time.Millisecond
	start := time.Now()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(still - time.Since(start))
		switch asked.Add(1) % 10 {
		case 0:
			w.WriteHeader(http.StatusTooManyRequests)
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.Header().Set("X-Version", "v1")
			_, _ = fmt.Fprintln(w, "ok")
		}
	}))
	defer server.Close()
	answers := loadgen.Run(t.Context(), loadgen.Options{URL: server.URL, Load: load.Constant(300), For: 600 * time.Millisecond, Seed: 1001, Timeout: 10 * time.Second})
	if n := len(answers); n < 130 || n > 230 { // 180 ± 13
		t.Fatalf("%d requests of about 180", n)
	}
	var offered, carried, shed, failed int
	for k, i := range loadgen.Intervals(answers, 200*time.Millisecond, 600*time.Millisecond) {
		offered, carried, shed, failed = offered+i.Offered, carried+i.Carried, shed+i.Shed, failed+i.Failed
		if k == 0 && i.P95 < .25 {
			t.Errorf("p95 of those who were due while the server stood still is %v s", i.P95)
		}
	}
	if offered != len(answers) || carried+shed+failed != offered || shed == 0 || failed == 0 {
		t.Errorf("offered %d, carried %d, shed %d, failed %d of %d", offered, carried, shed, failed, len(answers))
	}
	for i, a := range answers {
		if a.Latency < 0 || a.Late < 0 || i > 0 && a.Due < answers[i-1].Due {
			t.Fatalf("answer %d: %+v", i, a)
		}
		if (a.Status == http.StatusOK) != (a.Version == "v1") {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
}

func TestNobodyThereIsAFailure(t *testing.T) {
	answers := loadgen.Run(t.Context(), loadgen.Options{URL: "http://127.0.0.1:1", Load: load.Constant(200), For: 50 * time.Millisecond, Seed: 1001, Timeout: time.Second})
	i := loadgen.Intervals(answers, 50*time.Millisecond, 50*time.Millisecond)[0]
	if i.Offered == 0 || i.Failed != i.Offered || !math.IsNaN(i.P95) {
		t.Errorf("%+v", i)
	}
}
