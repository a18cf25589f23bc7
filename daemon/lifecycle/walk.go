package lifecycle

import (
	"context"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Interval is one of a mesh's history, whether it is a row of a dataset or not.
type Interval struct {
	At       time.Time     // its end
	Settings policy.Action // in force in it; nil: not known
	Reason   Reason        // why what was measured says nothing of these settings; empty: it does
	State    policy.State  // measured at its end
	Row      dataset.Row   // the same in numbers; without a Reason it is the dataset's
}

// Walk gives each the intervals that CollectFrom would look at, from the oldest to the newest,
// and makes no dataset of them: what is kept of a long history is each's business. It ends
// with the first error.
func Walk(ctx context.Context, o Options, each func(Interval) error) (*Report, error) {
	c := newCollection(o)
	c.each = each
	if err := c.gather(ctx); err != nil {
		return nil, err
	}
	return &c.report, nil
}
