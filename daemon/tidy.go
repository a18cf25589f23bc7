package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

// tidyEvery is how often the journal is looked at. A segment lasts for an hour and longer.
const tidyEvery = time.Minute

// background is one goroutine that can be stopped. The zero value has none.
type background struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (b *background) start(ctx context.Context, run func(ctx context.Context)) {
	ctx, b.cancel = context.WithCancel(ctx)
	b.running.Go(func() { run(ctx) })
}

// stop waits until it has ended.
func (b *background) stop() {
	if b.cancel != nil {
		b.cancel()
		b.running.Wait()
	}
}

// tidy compresses and removes what the journal has completed, until the context ends.
func (d *Daemon) tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for failed := false; ; {
		if g := d.current.Load(); g != nil {
			keep := journal.Retention{Age: g.config.Journal.MaximumAge, Size: g.config.Journal.MaximumSize}
			done, err := d.journal.Tidy(keep)
			if err != nil && !failed { // it goes on trying; one line says so
				d.o.Logger.Error("the journal was not compressed, or what has expired was not removed", "err", err)
			}
			failed = err != nil
			if done != (journal.Tidied{}) {
				d.o.Logger.Info("tidied the journal", "compressed", done.Packed, "removed", done.Removed, "freed_bytes", done.Freed)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
