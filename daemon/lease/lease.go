package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// Least is the shortest Duration: the object counts in whole seconds.
const Least = 2 * time.Second

// Options are what a Lease is made of.
type Options struct {
	Client    coordination.LeasesGetter // with a timeout of its own: it is not fenced
	Namespace string
	Name      string
	Identity  string        // of this process, unlike any other's and any before
	Duration  time.Duration // within which another takes over from a holder that is gone
	Logger    *slog.Logger
}

// Lease is one daemon's part in the election.
type Lease struct {
	o       Options
	elector leaderelection.LeaderElectionConfig
	fence   fence
	holder  atomic.Pointer[string] // as seen last; nil: never
}

// New returns a lease that is not held, and not asked for before Run.
func New(o Options) (*Lease, error) {
	if o.Duration < Least {
		return nil, fmt.Errorf("lease %s/%s: a duration of %v is less than %v", o.Namespace, o.Name, o.Duration, Least)
	}
	l := &Lease{o: o}
	// A third of the time is for others to see that the holder is gone: they look once in a
	// tenth of what is left, or up to 2.2 times as seldom by client-go's jitter.
	held := (o.Duration * 2 / 3).Truncate(time.Second)
	l.elector = leaderelection.LeaderElectionConfig{
		Name: o.Name, ReleaseOnCancel: true, LeaseDuration: held, RenewDeadline: held * 2 / 3, RetryPeriod: held / 10,
		Lock: &watchedLock{lease: l, Interface: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name},
			Client:     o.Client,
			LockConfig: resourcelock.ResourceLockConfig{Identity: o.Identity},
		}},
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}},
	}
	if _, err := leaderelection.NewLeaderElector(l.elector); err != nil {
		return nil, fmt.Errorf("lease %s/%s: %w", o.Namespace, o.Name, err)
	}
	return l, nil
}

// Identity is this process's.
func (l *Lease) Identity() string { return l.o.Identity }

// Holder is who held the lease when it was looked at last; empty: nobody, or not known.
func (l *Lease) Holder() string {
	if h := l.holder.Load(); h != nil {
		return *h
	}
	return ""
}

// Term tells whether a write may begin now, and in which term: another one, from 1, each time
// after it could not.
func (l *Lease) Term() (term uint64, held bool) { return l.fence.state() }

// Run takes part in elections until the context ends; then no write is under way any more,
// and the lease is given up for another to take at once.
func (l *Lease) Run(ctx context.Context) {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(l.o.Logger.Handler()))
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(l.elector)
		if err != nil { // New has made one of the same
			l.o.Logger.Error("the lease cannot be asked for", "err", err)
			return
		}
		elector.Run(ctx)
		l.fence.close()
	}
}

// watchedLock opens the fence with each renewal, and closes it before the lease is given up.
type watchedLock struct {
	resourcelock.Interface
	lease *Lease
}

// Get reads who holds it.
func (w *watchedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	r, raw, err := w.Interface.Get(ctx)
	if err == nil {
		w.lease.saw(r.HolderIdentity)
	}
	return r, raw, err
}

// Create asks for a lease that nobody has.
func (w *watchedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return w.set(r, func() error { return w.Interface.Create(ctx, r) })
}

// Update renews, takes over, or gives up.
func (w *watchedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return w.set(r, func() error { return w.Interface.Update(ctx, r) })
}

func (w *watchedLock) set(r resourcelock.LeaderElectionRecord, write func() error) error {
	if r.HolderIdentity != w.Identity() {
		w.lease.fence.close() // and wait for what is under way
		return write()
	}
	// Others count from when they see the renewal, which is after this moment. A part of the
	// time is kept back: a request that was cut off may still be worked on by the API server.
	until := sinceBoot() + w.lease.elector.LeaseDuration*4/5
	if err := write(); err != nil {
		return err
	}
	w.lease.fence.extend(until)
	w.lease.saw(r.HolderIdentity)
	return nil
}

func (l *Lease) saw(holder string) {
	if l.holder.Load() == nil || l.Holder() != holder {
		l.o.Logger.Info("the lease has another holder", "lease", l.o.Namespace+"/"+l.o.Name, "holder", holder, "this", l.o.Identity)
	}
	l.holder.Store(&holder)
}

// ErrNotHeld is the error of a write without the lease.
var ErrNotHeld = errors.New("another daemon holds the lease, or may hold it soon: nothing is written")
