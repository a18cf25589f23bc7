// Package loadgen offers load to a mesh and measures what its clients see.
//
// It is an open loop: requests leave at the times of a Poisson process whatever became of
// those before, and a latency counts from the time at which its request was due, not from
// when it left (Tene, "How NOT to Measure Latency": a client that waits with the server
// leaves out the waiting). How late requests left is reported, so that a machine that is
// too slow for the load is not taken for a slow mesh.
package loadgen

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/windvane/windvane/sim/load"
)

// Options are what is offered.
type Options struct {
	URL     string
	Load    load.Process  // requests/s by the seconds since the start
	For     time.Duration // how long
	Seed    uint64
	Timeout time.Duration // of a request
	Observe func(Answer)  // is given each answer, from several goroutines; nil: nobody is
}

// Answer is what became of one request.
type Answer struct {
	Due     time.Duration // since the start
	Late    time.Duration // by how much it left later
	Latency time.Duration // since it was due
	Status  int           // 0: there was no answer
	Version string        // of the node that answered; empty: none did
	Err     error
}

// Run offers the load, and returns when every request has its answer, in the order in
// which they were due. When the context ends no more leave.
func Run(ctx context.Context, o Options) []Answer {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, MaxConnsPerHost: 0, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: o.Timeout}
	random := rand.New(rand.NewPCG(o.Seed, 0))
	var (
		answers []Answer
		mu      sync.Mutex
		running sync.WaitGroup
		start   = time.Now()
		due     time.Duration
	)
	for {
		due += time.Duration(random.ExpFloat64() / o.Load.Max() * float64(time.Second))
		if due >= o.For || !sleep(ctx, time.Until(start.Add(due))) {
			break
		}
		if random.Float64()*o.Load.Max() >= o.Load.Rate(due.Seconds()) { // thinning
			continue
		}
		at := due
		running.Go(func() {
			a := ask(client, o.URL, start, at)
			if o.Observe != nil {
				o.Observe(a)
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
	}
	running.Wait()
	slices.SortFunc(answers, func(a, b Answer) int { return int(a.Due - b.Due) })
	return answers
}

func ask(client *http.Client, url string, start time.Time, due time.Duration) Answer {
	a := Answer{Due: due, Late: time.Since(start) - due}
	answer, err := client.Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close() // it was read
		a.Status, a.Version = answer.StatusCode, answer.Header.Get("X-Version")
	}
	a.Err, a.Latency = err, time.Since(start)-due
	return a
}

// sleep reports whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Interval is what the clients saw of the requests that were due within an interval.
type Interval struct {
	Offered, Carried, Shed, Failed int     // Shed: answered with 429; Failed: neither that nor 200
	P95                            float64 // latency of the carried, seconds; NaN: none was
}

// Intervals sums answers up.
func Intervals(answers []Answer, length, total time.Duration) []Interval {
	out := make([]Interval, int(total/length))
	latencies := make([][]float64, len(out))
	for _, a := range answers {
		k := int(a.Due / length)
		if k >= len(out) {
			continue // the last interval is not whole
		}
		i := &out[k]
		i.Offered++
		switch {
		case a.Err == nil && a.Status == http.StatusOK:
			i.Carried++
			latencies[k] = append(latencies[k], a.Latency.Seconds())
		case a.Status == http.StatusTooManyRequests:
			i.Shed++
		default:
			i.Failed++
		}
	}
	for k := range out {
		out[k].P95 = Quantile(latencies[k], .95)
	}
	return out
}

// Quantile is that of the values, by the nearest rank; NaN of none. It sorts them.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(math.Ceil(q*float64(len(values))))-1)]
}
