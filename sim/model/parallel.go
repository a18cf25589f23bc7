package model

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f with 0 to n-1 on all cores, and waits. What f(i) does must not
// depend on what other calls do.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}
