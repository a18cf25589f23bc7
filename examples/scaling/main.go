// Command scaling writes the trace of this example: made up from queueing formulas, as
// no table of the published scenario exists. Nothing in it was measured.
//
//	go run ./examples/scaling > examples/scaling/trace.csv
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
)

// The mesh: the requests of one service go to node-1, of which there are 1 to 5
// replicas, or to node-2, which is one that is nearly twice as fast.
const (
	rate1          = 3.2 // requests/s that a replica of node-1 serves
	rate2          = 6.0 // requests/s that node-2 serves
	timeoutSeconds = 3.0 // what a request takes at most
	noise          = .04 // standard deviation of the logarithm of a measured latency
	jitter         = .3  // most that an offered load is off its rung, requests/s
	rowsEach       = 12  // intervals of each setting and load
	seed           = 1
)

// The grid of settings, and the loads of the published scenario (requests/s).
var (
	weights  = []float64{0, .2, .4, .6, .8, 1} // of node-1
	replicas = []int{1, 2, 3, 4, 5}
	loads    = []float64{4, 8, 12}
)

// sojourn is the mean time in an M/M/c queue, in seconds, cut off at the timeout.
func sojourn(arrivals, rate float64, servers int) float64 {
	if arrivals <= 0 {
		return 0
	}
	busy := arrivals / rate
	if busy >= float64(servers) {
		return timeoutSeconds
	}
	blocked := 1.0 // Erlang B, by its recursion
	for n := 1; n <= servers; n++ {
		blocked = busy * blocked / (float64(n) + busy*blocked)
	}
	utilisation := busy / float64(servers)
	waits := blocked / (1 - utilisation*(1-blocked)) // Erlang C
	return math.Min(timeoutSeconds, 1/rate+waits/(float64(servers)*rate-arrivals))
}

// latency is the expected delay of the slower of the paths that are used, in seconds.
func latency(offered, weight float64, servers int) float64 {
	return math.Max(sojourn(offered*weight, rate1, servers), sojourn(offered*(1-weight), rate2, 1))
}

// write writes the trace: weight of node-1, its replicas, offered and carried load
// (requests/s) and delay (s).
func write(w io.Writer) error {
	out := bufio.NewWriter(w)
	rng := rand.New(rand.NewPCG(seed, 0))
	_, _ = fmt.Fprintln(out, "p,c,l,cl,d") // the writer keeps its first error for Flush
	for _, p := range weights {
		for _, c := range replicas {
			for row := range rowsEach * len(loads) {
				l := loads[row%len(loads)] + jitter*(2*rng.Float64()-1)
				d := latency(l, p, c) * math.Exp(noise*rng.NormFloat64())
				_, _ = fmt.Fprintf(out, "%.1f,%d,%.2f,%.2f,%.4f\n", p, c, l, l, d)
			}
		}
	}
	return out.Flush()
}

func main() {
	if err := write(os.Stdout); err != nil {
		log.Fatal(err)
	}
}
