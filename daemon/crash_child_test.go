package daemon

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// CrashChild is the process that the crash test kills: a daemon whose policy changes every
// setting in every cycle. Its clock is the parent's: it asks for each cycle over HTTP.
func CrashChild(config, clock string) {
	ctx := context.Background()
	d, err := NewRestless(ctx, Options{ConfigFile: config, Clock: remoteClock(clock)}, journal.RealDisk())
	if err == nil {
		err = d.Start(ctx)
	}
	if err == nil {
		<-d.Done()
		err = d.Stop(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "crash child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// NewRestless is New with a policy that changes every setting in every cycle, and with a
// disk under the journal.
func NewRestless(ctx context.Context, o Options, disk journal.Disk) (*Daemon, error) {
	o.disk = disk
	d, err := New(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, m := range d.current.Load().meshes {
		m.policies.substitute("restless", restless{})
	}
	return d, nil
}

// remoteClock is the URL that answers with the time of the next cycle, when it is due;
// with nothing at the end.
type remoteClock string

func (c remoteClock) Next(ctx context.Context, _ string, _ time.Duration) (time.Time, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, string(c), http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = answer.Body.Close() }() // it is read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return time.Time{}, err
	}
	if len(text) == 0 {
		return time.Time{}, io.EOF
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
}

// restless has other settings for every cycle, by its time alone.
type restless struct{}

func (restless) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "restless"}, nil
}

func (restless) Configure(context.Context, policy.Config) error { return nil }

func (restless) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	step := o.At.Unix() / 5 % 3
	a := o.Live.Clone()
	first := map[string]bool{}
	for i, s := range a {
		switch s.Kind {
		case policy.Weight:
			v := []float64{.4, .5, .6}[step]
			if first[s.Target] {
				v = 1 - v
			}
			first[s.Target] = true
			a[i].Value = v
		case policy.Blocking:
			a[i].Value = []float64{.2, .3, .4}[step]
		case policy.Replicas:
			a[i].Value = float64(1 + step)
		}
	}
	return policy.Decision{Action: a, Reason: "never rests"}, nil
}
