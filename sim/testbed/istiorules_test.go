package testbed_test

import (
	"math"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

// names are the services of shop, in its order.
var names = []string{"information", "compute"}

// signals are what the shipped rules give, by service.
type signals struct{ offered, carried, blocked, latency map[string]float64 }

func read(t testing.TB, bed *testbed.Testbed, p v1.API) signals {
	t.Helper()
	return signals{
		offered: vector(t, bed, p, "windvane:offered:rate", "service"),
		carried: vector(t, bed, p, "windvane:carried:rate", "service"),
		blocked: vector(t, bed, p, "windvane:blocked:ratio", "service"),
		latency: vector(t, bed, p, "windvane:latency_seconds:p95", "service"),
	}
}

// interval lets 5 s pass and returns the emulator's totals of the last 4 of them, which
// is what rate(x[5s]) measures at a scrape each second.
func interval(t testing.TB, bed *testbed.Testbed) []emulator.Totals {
	t.Helper()
	advance(t, bed, time.Second)
	bed.Take()
	advance(t, bed, 4*time.Second)
	return bed.Take()
}

func within(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)+1e-9) {
		t.Errorf("%s: %v, want %v within %v of it", what, got, want, relative)
	}
}

// check compares the signals with the emulator's own count of the same 4 seconds.
func check(t *testing.T, s signals, totals []emulator.Totals, relative float64) {
	t.Helper()
	for i, name := range names {
		for signal, values := range map[string]map[string]float64{"offered": s.offered, "carried": s.carried, "blocked": s.blocked, "latency": s.latency} {
			if _, ok := values[name]; !ok {
				t.Errorf("%s has no %s", name, signal)
			}
		}
		x := totals[i]
		// A proxy counts what it has answered, so a request in flight is not offered yet.
		ended := float64(x.Answered + x.Blocked)
		within(t, name+" offered", s.offered[name], ended/4, relative)
		within(t, name+" carried", s.carried[name], float64(x.Carried)/4, relative)
		within(t, name+" blocked", s.blocked[name], float64(x.Blocked)/ended, relative)
		// The bound is that of a bucket too, so which side of it the quantile is on is exact.
		if slow := float64(x.Slow) / float64(x.Answered); slow > .05 != (s.latency[name] > .035) && math.Abs(slow-.05) > 1e-9 {
			t.Errorf("%s: p95 is %v s, but %.1f %% were slower than .035 s", name, s.latency[name], 100*slow)
		}
	}
}

func TestRulesMatchTheEmulator(t *testing.T) {
	for name, c := range map[string]struct {
		rate     float64
		blocking []float64
		timeout  float64
	}{
		"free":      {rate: 20},
		"blocked":   {rate: 30, blocking: []float64{.2, .6}},
		"overload":  {rate: 150, timeout: .3},
		"both":      {rate: 200, blocking: []float64{.5, .1}, timeout: .3},
		"nearly no": {rate: 30, blocking: []float64{.9, .9}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(c.rate)
			o.Initial.Blocking = c.blocking
			for i := range o.Graph.Services {
				if c.timeout > 0 {
					o.Graph.Services[i].TimeoutSeconds = c.timeout
				}
			}
			bed := start(t, o)
			p := prom(t, bed)
			advance(t, bed, 100*time.Second) // by now every series has begun
			timedOut, above, below := 0, 0, 0
			for range 25 {
				totals := interval(t, bed)
				s := read(t, bed, p)
				check(t, s, totals, 1e-9)
				for i, n := range names {
					timedOut += totals[i].TimedOut
					if s.latency[n] > .035 {
						above++
					} else {
						below++
					}
				}
			}
			if (timedOut > 100) != (c.timeout > 0) || above == 0 {
				t.Errorf("%d requests timed out, p95 above the bound %d times and not %d times: the test shows nothing", timedOut, above, below)
			}
		})
	}
}

// Requests that were shed are answered at once. If they counted, nine in ten shed would
// put the quantile into the first bucket.
func TestLatencyLeavesOutWhatWasShed(t *testing.T) {
	o := options(100)
	for i := range o.Graph.Nodes {
		o.Graph.Nodes[i].Work = emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: .03}
		o.Graph.Nodes[i].Concurrency = 1000
	}
	o.Graph.Services[1].Destinations[0].Path[0].Work = 2
	o.Graph.Services[1].Destinations[1].Path[0].Work = 2
	o.Initial.Blocking = []float64{.9, .99}
	bed := start(t, o)
	p := prom(t, bed)
	advance(t, bed, 20*time.Second)
	s := read(t, bed, p)
	// 30 ms lies in the bucket of 25 to 35, 60 ms in that of 50 to 75.
	for name, bucket := range map[string][2]float64{"information": {.025, .035}, "compute": {.050, .075}} {
		if l := s.latency[name]; !(l > bucket[0] && l <= bucket[1]) {
			t.Errorf("p95 of %s is %v s, want within its bucket %v", name, l, bucket)
		}
	}
}

// An answer of 504 is not carried, but it is part of the latency: a service that
// times out must not look fast.
func TestTimeoutsAreOfferedAndSlowAndNotCarried(t *testing.T) {
	o := options(30)
	for i := range o.Graph.Nodes {
		o.Graph.Nodes[i].Replicas = 0
	}
	bed := start(t, o)
	p := prom(t, bed)
	advance(t, bed, 20*time.Second)
	totals := interval(t, bed)
	s := read(t, bed, p)
	check(t, s, totals, 1e-9)
	for _, n := range names {
		if carried, ok := s.carried[n]; !ok || carried != 0 || s.offered[n] < 20 || s.blocked[n] != 0 || !(s.latency[n] > .5) {
			t.Errorf("%s: carried %v (known: %v) of %v, blocked %v, p95 %v s; want 0 of about 30, 0, 1 s",
				n, carried, ok, s.offered[n], s.blocked[n], s.latency[n])
		}
	}
}

func TestSplit(t *testing.T) {
	o := options(100)
	o.Initial = emulator.Settings{Weights: [][]float64{{.8, .2}, {1, 0}}, Blocking: []float64{.3, .3}}
	bed := start(t, o)
	p := prom(t, bed)
	sum, n := 0.0, 0
	advance(t, bed, 20*time.Second)
	for range 60 {
		advance(t, bed, 5*time.Second)
		information := vector(t, bed, p, `windvane:split:ratio{service="information"}`, "version")
		within(t, "sum", information["v1"]+information["v2"], 1, 1e-12)
		if len(information) != 2 {
			t.Fatalf("versions %v, want v1 and v2 and none for what was shed", information)
		}
		sum += information["v1"]
		n++
		compute := vector(t, bed, p, `windvane:split:ratio{service="compute"}`, "version")
		if len(compute) != 1 || compute["v1"] != 1 {
			t.Fatalf("compute: %v, want v1 alone", compute)
		}
	}
	// 70/s over 4 s: the standard error of the mean of 60 intervals is .0031.
	if mean := sum / float64(n); math.Abs(mean-.8) > .01 {
		t.Errorf("mean share of v1 %v, want .8", mean)
	}
}

// Whether it was shed from the start or later: what is carried is 0 and not absent,
// and what its latency would be is not known.
func TestAServiceShedEntirely(t *testing.T) {
	for _, later := range []bool{false, true} {
		o := options(30)
		if !later {
			o.Initial.Blocking = []float64{0, 1}
		}
		bed := start(t, o)
		p := prom(t, bed)
		advance(t, bed, 10*time.Second)
		if later {
			patchAbort(t, bed, 1, 100)
			advance(t, bed, 10*time.Second)
		}
		s := read(t, bed, p)
		if carried, ok := s.carried["compute"]; !ok || carried != 0 {
			t.Errorf("later %v: carried %v, known %v; want 0", later, carried, ok)
		}
		if s.blocked["compute"] != 1 || s.offered["compute"] < 15 {
			t.Errorf("later %v: blocked %v of %v, want all of about 30", later, s.blocked["compute"], s.offered["compute"])
		}
		if l, ok := s.latency["compute"]; ok != later || ok && !math.IsNaN(l) {
			t.Errorf("later %v: p95 %v, known %v; want NaN where it once had a latency, none otherwise", later, l, ok)
		}
		if s.carried["information"] < 15 || !(s.latency["information"] > 0) || s.blocked["information"] != 0 {
			t.Errorf("later %v: the other service: %+v", later, s)
		}
	}
}

func TestAServiceWithoutTraffic(t *testing.T) {
	bed := start(t, options(0))
	p := prom(t, bed)
	advance(t, bed, 20*time.Second)
	for _, expr := range []string{"windvane:offered:rate", "windvane:carried:rate", "windvane:blocked:ratio", "windvane:latency_seconds:p95", "windvane:split:ratio"} {
		if got := vector(t, bed, p, expr, "service"); len(got) != 0 {
			t.Errorf("%s: %v, want nothing", expr, got)
		}
	}
}

// The comments in the file say what becomes of the first samples of a series. This
// holds them to it.
func TestNewSeries(t *testing.T) {
	bed := start(t, options(60))
	p := prom(t, bed)
	advance(t, bed, 5*time.Second)
	first, s := bed.Take(), read(t, bed, p)
	for i, n := range names {
		// From 0 s on, and the first second is guessed from the first scrape.
		within(t, n+" offered in the first interval", s.offered[n], float64(first[i].Answered)/5, .2)
	}
	advance(t, bed, 15*time.Second)
	patchAbort(t, bed, 0, 50) // in force half a second from now
	totals := interval(t, bed)
	s = read(t, bed, p)
	blocked := float64(totals[0].Blocked) / float64(totals[0].Blocked+totals[0].Answered)
	if got := s.blocked["information"]; got > blocked || got < .8*blocked {
		t.Errorf("in the interval in which shedding begins: blocked ratio %v, counted %v; want at most a fifth less", got, blocked)
	}
	within(t, "carried", s.carried["information"], float64(totals[0].Carried)/4, 1e-9)
	totals = interval(t, bed)
	check(t, read(t, bed, p), totals, 1e-9)
}
