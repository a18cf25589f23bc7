package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that ends with the first Ctrl-C or SIGTERM. A second
// one ends the process at once.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// errStopped is what a command that was interrupted says.
var errStopped = errors.New("stopped before it was done")

// unlessStopped returns what work returns, or errStopped once the context is done. Work
// that does not look at the context then ends with the process.
func unlessStopped[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := work()
		ended <- outcome{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, errStopped
	case o := <-ended:
		return o.value, o.err
	}
}
