package budget

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
)

// ring sums errors over a sliding window, in buckets of one part of it each, laid out by
// the time since 1970: a window is its newest bucket, so far as it is full, and the
// parts before it. It allocates nothing after newRing.
type ring struct {
	window time.Duration
	newest int64     // number of the newest bucket since 1970
	bad    []float64 // by bucket number modulo the length, parts+1 of them
	total  []float64
}

func newRing(window time.Duration, parts int) ring {
	return ring{window: window, bad: make([]float64, parts+1), total: make([]float64, parts+1)}
}

// bucket returns the number of the bucket that a time lies in.
func (r *ring) bucket(at time.Time) int64 {
	parts := int64(len(r.bad) - 1)
	width := max(1, (int64(r.window)+parts-1)/parts)
	ns := at.UnixNano()
	n := ns / width
	if ns%width < 0 {
		n--
	}
	return n
}

// add adds to the bucket of a time. Where time went back by more than the window, the
// clock was wrong before, and the ring starts anew.
func (r *ring) add(at time.Time, bad float64) {
	n, size := r.bucket(at), int64(len(r.bad))
	if n > r.newest || n <= r.newest-size {
		r.advance(n)
	}
	i := slot(n, size)
	r.bad[i] += bad
	r.total[i]++
}

// advance makes a bucket the newest and empties those that come into the window with it.
func (r *ring) advance(n int64) {
	size := int64(len(r.bad))
	first := max(r.newest+1, n-size+1)
	if n < r.newest {
		first = n - size + 1
	}
	for k := first; k <= n; k++ {
		i := slot(k, size)
		r.bad[i], r.total[i] = 0, 0
	}
	r.newest = n
}

// sum returns what the window holds that ends at a time.
func (r *ring) sum(at time.Time) (bad, total float64) {
	size, end := int64(len(r.bad)), r.bucket(at)
	for n := max(end-size+1, r.newest-size+1); n <= min(end, r.newest); n++ {
		bad += r.bad[slot(n, size)]
		total += r.total[slot(n, size)]
	}
	return bad, total
}

func slot(n, size int64) int64 { return (n%size + size) % size }

// ringJSON is a ring on disk, its buckets oldest first.
type ringJSON struct {
	Window model.Duration `json:"window"`
	Newest int64          `json:"newest"`
	Bad    []float64      `json:"bad"`
	Total  []float64      `json:"total"`
}

func (r ring) MarshalJSON() ([]byte, error) {
	out := ringJSON{Window: model.Duration(r.window), Newest: r.newest}
	size := int64(len(r.bad))
	for n := r.newest - size + 1; n <= r.newest; n++ {
		out.Bad = append(out.Bad, r.bad[slot(n, size)])
		out.Total = append(out.Total, r.total[slot(n, size)])
	}
	return json.Marshal(out)
}

func (r *ring) UnmarshalJSON(b []byte) error {
	var in ringJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	size := int64(len(in.Bad))
	switch {
	case in.Window <= 0:
		return fmt.Errorf("a window of %s", in.Window)
	case size < 2 || size > 1+windowParts || len(in.Total) != len(in.Bad):
		return fmt.Errorf("window %s: %d and %d buckets", in.Window, size, len(in.Total))
	case in.Newest > math.MaxInt64/2 || in.Newest < math.MinInt64/2:
		return fmt.Errorf("window %s: bucket number %d", in.Window, in.Newest)
	}
	*r = ring{window: time.Duration(in.Window), newest: in.Newest, bad: make([]float64, size), total: make([]float64, size)}
	for i := range size {
		bad, total := in.Bad[i], in.Total[i]
		if !(bad >= 0 && bad <= total) || total != math.Trunc(total) || math.IsInf(total, 0) {
			return fmt.Errorf("window %s: %v bad of %v", in.Window, bad, total)
		}
		k := slot(in.Newest-size+1+i, size)
		r.bad[k], r.total[k] = bad, total
	}
	return nil
}
