package conformance_test

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

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/serve"
	"github.com/windvane/windvane/plugins/threshold"
)

// The test binary is also the plugin under check, "plugin MODE".
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		os.Exit(plugin(os.Args[2]))
	}
	// A program built for the race detector otherwise takes a second to exit.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func plugin(mode string) int {
	switch mode {
	case "exits":
		fmt.Fprintln(os.Stderr, "cannot open the licence")
		return 3
	case "prints":
		fmt.Println("Loading the model ...")
	case "older":
		fmt.Printf("1|0|unix|%s/x|grpc\n", os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		time.Sleep(time.Minute)
	case "imports":
		time.Sleep(500 * time.Millisecond)
	case "lingers":
		defer time.Sleep(time.Minute)
	}
	return serve.Main(&broken{mode: mode})
}

// broken is the threshold policy, but for what its mode says.
type broken struct {
	threshold.Threshold
	mode  string
	asked int
	last  float64
	kept  [][]byte
}

func (b *broken) Describe(ctx context.Context) (policy.Description, error) {
	if b.mode == "nameless" {
		return policy.Description{}, nil
	}
	return b.Threshold.Describe(ctx)
}

func (b *broken) Configure(ctx context.Context, c policy.Config) error {
	if b.mode == "loose" {
		c.Settings = nil
	}
	return b.Threshold.Configure(ctx, c)
}

func (b *broken) Export(context.Context, int) (policy.Table, error) {
	if b.mode == "ragged" {
		return policy.Table{Columns: []string{"load", "blocking"}, Rows: [][]string{{"1"}}}, nil
	}
	return policy.Table{Columns: []string{"rule"}, Rows: [][]string{{"shed"}}}, nil
}

func (b *broken) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	b.asked++
	if b.mode == "crashes" && len(o.State) == 0 {
		os.Exit(9)
	}
	if b.mode == "panics" {
		_ = o.Live[len(o.Knobs)-1] // without a live action there is none
	}
	d, err := b.Threshold.Decide(ctx, o)
	if err != nil {
		if b.mode == "careless" {
			return policy.Decision{Action: o.Live, Reason: "whatever"}, nil
		}
		return d, err
	}
	switch b.mode {
	case "weights":
		d.Action[len(d.Action)-1].Value -= .1
	case "nan":
		d.Action[0].Value = math.NaN()
	case "short":
		d.Action = d.Action[1:]
	case "random":
		d.Reason = time.Now().String()
	case "remembers": // what was offered before
		offered, _ := o.State.Role(o.Services[0].Name, policy.RoleOffered).Get()
		d.Infeasible, b.last = offered > b.last, offered
	case "counts":
		d.Infeasible = b.asked > 70
	case "process":
		d.Reason = fmt.Sprint("decided by ", os.Getpid())
	case "refuses":
		return d, errors.New("no model is loaded")
	case "abstains":
		return policy.Decision{Abstain: true, Reason: "who knows"}, nil
	case "slow":
		time.Sleep(time.Minute)
	case "loosens": // takes what it does not know for 0
		for i, s := range d.Action {
			if offered, _ := o.State.Role(s.Target, policy.RoleOffered).Get(); s.Kind == policy.Blocking && offered == 0 {
				d.Action[i].Value = 0
			}
		}
	case "leaks":
		b.kept = append(b.kept, make([]byte, 64<<10))
		for i := range b.kept[len(b.kept)-1] {
			b.kept[len(b.kept)-1][i] = 1
		}
	case "locks": // for good, where a call ends early
		if b.last == 1 {
			time.Sleep(time.Minute)
		}
		time.Sleep(2 * time.Millisecond)
		if ctx.Err() != nil {
			b.last = 1
		}
	case "daemon": // a child that leaves the process group
		if b.asked == 1 {
			c := exec.Command("sleep", "3")
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			return d, c.Start()
		}
	}
	return d, nil
}

// options are of a plugin of this binary. A small mesh of two services is observed.
func options(t *testing.T, mode string) conformance.Options {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return conformance.Options{
		Command: []string{exe, "plugin", mode}, Observation: plugintest.Observation(plugintest.Knobs("a", "b"), .06, 10, 20),
		Samples: 60, Calls: 1000, Seed: 1000, Deadline: 2 * time.Second,
	}
}

// thorough runs everything on everything: PLUGIN_TEST_ALL=1. It takes minutes.
var thorough = os.Getenv("PLUGIN_TEST_ALL") != ""

// Each fails the check that is named, with a finding that says what is wrong.
func TestBrokenPlugins(t *testing.T) {
	for _, tc := range []struct {
		mode, check, want string
		quick             bool // it is tried if the test is not thorough
	}{
		{"exits", "start", "exit status 3", true},
		{"prints", "start", "Loading the model", true},
		{"older", "start", "incompatible API version", false},
		{"nameless", "start", `calls itself ""`, false},
		{"loose", "settings", `{"no_such_setting": 1} are taken`, true},
		{"weights", "answers", "weights of ns/vs/b sum to 0.9", true},
		{"nan", "answers", "NaN", false},
		{"short", "answers", "5 settings, want 6", false},
		{"refuses", "answers", "no model is loaded", false},
		{"abstains", "answers", "no action for any of 60", false},
		{"slow", "answers", "did not answer within", false},
		{"random", "repeat", "reason is 20", true},
		{"remembers", "order", "infeasible is", true},
		{"counts", "order", "infeasible is false, and then true", false},
		{"crashes", "bad-state", "no signals: it ended: the process ended: exit status 9", true},
		{"panics", "bad-state", "no knobs: it panicked", false},
		{"careless", "bad-state", "no live action: its answer cannot be used", false},
		{"loosens", "no-data", "it lowers blocking", true},
		{"locks", "cut-short", "did not answer within", true},
		{"ragged", "export", "1 cells for 2 columns", true},
		{"leaks", "memory", "it grew from", true},
		{"process", "kill", "reason is decided by", true},
		{"lingers", "end", "did not end by itself", false},
		{"daemon", "end", "(sleep), which it started, is still there", true},
	} {
		if !tc.quick && !thorough {
			continue
		}
		t.Run(tc.mode, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			o := options(t, tc.mode)
			switch tc.mode {
			case "slow", "locks":
				o.Deadline, o.Samples = 100*time.Millisecond, 3
			}
			if !thorough {
				o.Only = []string{tc.check}
			}
			var text strings.Builder
			report, err := conformance.Check(t.Context(), o, func(r conformance.Result) {
				if r.About != "" {
					_ = r.WriteText(&text)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Check != tc.check {
					if len(r.Findings) > 0 && !thorough {
						t.Errorf("%s: %q", r.Check, r.Findings)
					}
					continue
				}
				if !strings.Contains(strings.Join(r.Findings, "\n"), tc.want) || r.Hint == "" {
					t.Errorf("%s finds %q, hint %q; want %q", r.Check, r.Findings, r.Hint, tc.want)
				}
				if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), fmt.Sprintf("  %-10s FAIL ", tc.check)) || !strings.Contains(text.String(), "checks failed") {
					t.Errorf("%v, as text:\n%s", err, text.String())
				}
				t.Logf("\n%s", text.String())
				return
			}
			t.Errorf("no result of %s: %+v", tc.check, report.Results)
		})
	}
}

func TestSoundPluginPasses(t *testing.T) {
	o := options(t, "sound")
	if !thorough {
		o.Calls = 300
	}
	var names []string
	report, err := conformance.Check(t.Context(), o, func(r conformance.Result) {
		if r.About == "" {
			names = append(names, r.Check)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if len(r.Findings) > 0 || r.Skipped {
			t.Errorf("%s: %q %s", r.Check, r.Findings, r.Note)
		}
	}
	if report.Policy != "threshold" || report.Failed() != 0 || strings.Join(names, " ") != strings.Join(conformance.Checks(), " ") {
		t.Errorf("policy %q, checks %q", report.Policy, names)
	}
	if _, err := conformance.Check(t.Context(), conformance.Options{Command: o.Command, Only: []string{"speed"}}, nil); err == nil || !strings.Contains(err.Error(), `no check "speed"; there are start, settings`) {
		t.Errorf("an unknown check: %v", err)
	}
}

// A plugin that needs long to start is given the time that it is declared with.
func TestStartTimeout(t *testing.T) {
	o := options(t, "imports")
	o.Only = []string{"start"}
	for timeout, want := range map[time.Duration]string{100 * time.Millisecond: "timeout while waiting for plugin to start", 15 * time.Second: ""} {
		o.StartTimeout = timeout
		report, err := conformance.Check(t.Context(), o, func(conformance.Result) {})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(report.Results[0].Findings, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("with a time-out of %s: %q, want %q", timeout, got, want)
		}
	}
}
