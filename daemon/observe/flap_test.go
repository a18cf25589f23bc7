package observe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// A Prometheus that fails at random, each query on its own, costs signals; it never
// makes one valid with a value that was not true, or that is old.
func TestAFlappingPrometheusIsNeverBelieved(t *testing.T) {
	const cycles = 400
	r := rand.New(rand.NewPCG(1, 1000))
	p, a := serve(t, nil)
	ob := observer(t, options(a, latency))
	valid, lost := 0, 0
	for cycle := range cycles {
		truth := map[string]string{"x": fmt.Sprintf("%d.5", cycle), "y": fmt.Sprintf("%d.25", cycle)}
		p.mu.Lock()
		p.replies = map[string]reply{
			"q":        flap(r, []series{{"x", truth["x"]}, {"y", truth["y"]}}, cycle),
			ageOf("a"): flap(r, []series{{"x", before(3 * time.Second)}, {"y", before(time.Second)}}, cycle),
			ageOf("b"): flap(r, []series{{"x", before(2 * time.Second)}, {"y", before(time.Second)}}, cycle),
		}
		p.mu.Unlock()
		for _, s := range ob.Observe(t.Context(), now).State {
			v, ok := s.Get()
			switch {
			case !ok && s.Value == 0:
				lost++
			case !ok:
				t.Fatalf("cycle %d: %s of %s is %v, but has the value %v", cycle, s.Name, s.Service, s.Status, s.Value)
			case fmt.Sprint(v) != truth[s.Service] || now.Sub(s.At) > 10*time.Second:
				t.Fatalf("cycle %d: %s of %s is %v of %v, want %s", cycle, s.Name, s.Service, v, s.At, truth[s.Service])
			case s.Status != policy.Valid:
				t.Fatalf("cycle %d: a value of a signal that is %v", cycle, s.Status)
			default:
				valid++
			}
		}
	}
	if valid < cycles/10 || lost < cycles/10 {
		t.Errorf("%d signals valid, %d not: the test shows little", valid, lost)
	}
}

// flap is a right answer, or something else.
func flap(r *rand.Rand, right []series, cycle int) reply {
	old := []series{{"x", fmt.Sprintf("%d.5", cycle-1)}, {"y", fmt.Sprintf("%d.25", cycle-1)}}
	switch r.IntN(24) {
	case 0:
		return reply{status: 500}
	case 1:
		return reply{status: 503, error: "timeout"}
	case 2:
		return reply{}
	case 3:
		return reply{series: right, warnings: []string{"a store is down"}}
	case 4:
		return reply{series: append(old, right...)}
	case 5:
		return reply{series: old, late: 5 * time.Second} // of a cache
	case 6:
		return reply{series: []series{{"x", "NaN"}, {"y", "+Inf"}}}
	case 7:
		return reply{body: func() string {
			return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"service":"x"}`
		}}
	case 8:
		return reply{kind: "scalar"}
	}
	return reply{series: right}
}
