package main

import (
	"context"
	"errors"
	"testing"
)

func TestWorkIsLeftWhenStopped(t *testing.T) {
	broken := errors.New("broken")
	if v, err := unlessStopped(context.Background(), func() (int, error) { return 7, broken }); v != 7 || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", v, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	forever := make(chan struct{})
	defer close(forever)
	if v, err := unlessStopped(ctx, func() (int, error) { <-forever; return 7, nil }); v != 0 || !errors.Is(err, errStopped) {
		t.Errorf("got %v, %v", v, err)
	}
}
