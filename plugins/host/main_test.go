package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/serve"
)

// The test binary is also the plugin under test ("plugin MODE"), and a host to be
// killed ("host DIR").
func TestMain(m *testing.M) {
	if len(os.Args) >= 3 && os.Args[1] == "plugin" {
		os.Exit(runPlugin(os.Args[2]))
	}
	if len(os.Args) == 3 && os.Args[1] == "host" {
		runHost(os.Args[2])
		os.Exit(1)
	}
	// A program built for the race detector otherwise takes a second to exit.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func runPlugin(mode string) int {
	switch mode {
	case "exits":
		fmt.Fprintln(os.Stderr, "no licence found")
		return 3
	case "babbles":
		fmt.Println("hello")
		time.Sleep(time.Minute)
	case "silent":
		time.Sleep(time.Minute)
	case "tcp":
		fmt.Println("1|1|tcp|127.0.0.1:1|grpc")
		time.Sleep(time.Minute)
	case "prints":
		fmt.Println(strings.ReplaceAll(os.Args[3], "$DIR", os.Getenv("PLUGIN_UNIX_SOCKET_DIR")))
		time.Sleep(time.Minute)
	case "trains":
		return serve.Main(&trainer{})
	}
	if strings.HasPrefix(mode, "hostile ") {
		return serveHostile(mode)
	}
	return serve.Main(&fakePolicy{mode: mode})
}

// runHost starts a plugin, prints its pid and waits to be killed.
func runHost(dir string) {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	h := New(Options{Name: "orphan", Path: exe, Args: []string{"plugin", "busy"}, SocketDir: dir})
	if err := h.Start(context.Background()); err != nil {
		panic(err)
	}
	go func() { _, _ = h.Decide(context.Background(), observation()) }() // keeps the plugin busy when its host dies
	fmt.Println(h.Status().PID)
	time.Sleep(time.Minute)
}

// fakePolicy answers with the live action, or as its mode says.
type fakePolicy struct {
	mode     string
	settings string
}

func (f *fakePolicy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "fake", Version: f.mode}, nil
}

func (f *fakePolicy) Configure(_ context.Context, c policy.Config) error {
	if string(c.Settings) == `"bad"` {
		return errors.New("settings: bad is not good")
	}
	f.settings = string(c.Settings)
	return nil
}

func (f *fakePolicy) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	d := policy.Decision{
		Action:       o.Live.Clone(),
		Expected:     []policy.Prediction{{Service: "a", Signal: "p95", Value: .02, Supported: true}},
		ExpectedLive: []policy.Prediction{{Service: "a", Signal: "p95", Value: .03}},
		Alternatives: []policy.Alternative{{Action: o.Live.Clone(), Score: 4, Reason: "no better"}},
		Reason:       "settings " + f.settings,
	}
	switch f.mode {
	case "nan":
		d.Action.Set(weightB, math.NaN())
	case "misfit":
		d.Action[0].Value = 2
	case "panics":
		panic("boom")
	case "slow":
		<-ctx.Done()
		return d, ctx.Err()
	case "busy":
		time.Sleep(time.Minute)
	case "environment":
		d.Reason = strings.Join(os.Environ(), "\x00") // certificates have several lines
	case "abstains":
		d = policy.Decision{Abstain: true, Action: o.Live[:1], Reason: "no idea"}
	case "stdin":
		n, err := os.Stdin.Read(make([]byte, 1))
		d.Reason = fmt.Sprint(n, err)
	case "child":
		c := exec.Command("sleep", "60")
		if err := c.Start(); err != nil {
			return d, err
		}
		d.Reason = fmt.Sprint(c.Process.Pid)
	case "stuck": // stopped by a signal: alive, and answers nothing
		err := syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(time.Minute)
		return d, err
	case "error":
		return d, errors.New("no signal of offered load")
	case "dies":
		os.Exit(7)
	}
	return d, nil
}

var weightB = policy.KnobID{Kind: policy.Weight, Target: "default/front/a", Part: "v2"}

func observation() policy.Observation {
	weightA := policy.KnobID{Kind: policy.Weight, Target: "default/front/a", Part: "v1"}
	blocking := policy.KnobID{Kind: policy.Blocking, Target: "a"}
	return policy.Observation{
		Mesh: "shop",
		At:   time.UnixMilli(1700000000123).UTC(),
		State: policy.State{
			{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: 10, At: time.UnixMilli(1700000000000).UTC(), Status: policy.Valid},
			{Name: "p95", Service: "a", Role: policy.RoleLatency, Value: math.Inf(1), Status: policy.Invalid},
		},
		Live:   policy.Action{{KnobID: blocking}, {KnobID: weightA, Value: .3}, {KnobID: weightB, Value: .7}},
		Knobs:  []policy.Knob{{KnobID: blocking, Service: "a", Max: .8, Levels: 5}, {KnobID: weightA, Max: 1, Levels: 6}, {KnobID: weightB, Max: 1, Levels: 6}},
		Limits: policy.Limits{MaxStep: .2, TotalBlocking: .5},
		Services: []policy.Service{{
			Name: "a", Value: 1, Floor: 2,
			Objectives: []policy.Objective{{Signal: "p95", Kind: policy.LatencyObjective, Bound: .035, Budget: .05}},
		}},
	}
}

// options are those of a plugin of the given mode, whose sockets have to be gone at the
// test's end.
func options(t *testing.T, mode string) Options {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wv") // short: the name of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("socket directory is not clean: %v, %v", left, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return Options{
		Name: mode, Path: exe, Args: []string{"plugin", mode}, SocketDir: dir, Env: []string{"GORACE"},
		Config: policy.Config{Settings: []byte(`{"k":1}`)},
	}
}

// start starts a host over a plugin of the given mode; it is stopped with the test.
func start(t *testing.T, mode string, change ...func(*Options)) (*Host, error) {
	t.Helper()
	o := options(t, mode)
	for _, c := range change {
		c(&o)
	}
	h := New(o)
	t.Cleanup(func() { h.Stop(context.Background()) })
	return h, h.Start(t.Context())
}

func mustStart(t *testing.T, mode string, change ...func(*Options)) *Host {
	t.Helper()
	h, err := start(t, mode, change...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// eventually waits for a condition that another process brings about.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// gone reports whether no process, or no member of a process group (negative
// pid), is left. A zombie of another parent does not count.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	if pid < 0 {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
