package testbed

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// Record adds a sample of a series, written as in PromQL, as if it had been scraped from a
// target beside the mesh. It has to be later than the ones before.
func (t *Testbed) Record(series string, at time.Time, v float64) error {
	l, err := parser.NewParser(parser.Options{}).ParseMetric(series)
	if err != nil {
		return fmt.Errorf("testbed: series %s: %w", series, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.store.append(t.store.series(l), at.UnixMilli(), v) {
		return fmt.Errorf("testbed: series %s has a sample at %s, or later", series, at.UTC().Format(time.RFC3339Nano))
	}
	return nil
}
