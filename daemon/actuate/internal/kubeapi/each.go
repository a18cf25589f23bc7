package kubeapi

import (
	"errors"
	"sync"
)

// concurrency bounds the requests that one actuator has under way.
const concurrency = 8

// Each calls f with 0 to n-1, several at a time, waits for all, and joins their errors
// in order.
func Each(n int, f func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, concurrency)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
