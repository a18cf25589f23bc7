package daemon

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
)

// PromoteChild is the process of the test that kills it while a policy is promoted: after two
// cycles it makes the policy other a canary, has it active where it is one, or demotes it where it is
// active, and at the given step of that it is gone.
func PromoteChild(config, clock, step string) {
	ctx := context.Background()
	c := &promoter{remoteClock: remoteClock(clock)}
	var err error
	c.daemon, err = New(ctx, Options{ConfigFile: config, Clock: c, step: func(at string) {
		if at == step && c.cycles > 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err == nil {
		err = c.daemon.Start(ctx)
	}
	if err == nil {
		<-c.daemon.Done()
		err = c.daemon.Stop(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "promote child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// promoter is a clock between whose second and third cycle a person says something.
type promoter struct {
	remoteClock
	daemon *Daemon
	cycles int
}

func (c *promoter) Next(ctx context.Context, mesh string, interval time.Duration) (time.Time, error) {
	if c.cycles++; c.cycles == 3 {
		w := roles.Word{By: "ann", Reason: "a test", At: time.Now()}
		x, err := c.daemon.Policy(mesh, "other")
		switch {
		case err == nil && x.Role == string(rules.RoleActive):
			err = c.daemon.DemotePolicy(mesh, "other", w)
		case err == nil:
			err = c.daemon.PromotePolicy(mesh, "other", w, true)
		}
		if err != nil {
			return time.Time{}, err
		}
	}
	at, err := c.remoteClock.Next(ctx, mesh, interval)
	if c.cycles == 3 && err == nil {
		return at, io.EOF
	}
	return at, err
}
