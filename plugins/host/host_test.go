package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/internal/lockedbuffer"
	"github.com/windvane/windvane/plugins/policy"
)

func TestSameAsInProcess(t *testing.T) {
	h := mustStart(t, "plain")
	in := &fakePolicy{mode: "plain"}
	if err := in.Configure(t.Context(), policy.Config{Settings: []byte(`{"k":1}`)}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		want, err := in.Decide(t.Context(), observation())
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Decide(t.Context(), observation())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("in process -, plugin +:\n%s", d)
		}
	}
	got, err := h.Describe(t.Context())
	if want := (policy.Description{Name: "fake", Version: "plain"}); err != nil || got != want {
		t.Errorf("described as %+v, %v, want %+v", got, err, want)
	}
	s := h.Status()
	if !s.Up || s.Quarantined || s.Restarts != 0 || s.LastError != "" || s.PID == 0 {
		t.Errorf("status %+v", s)
	}
}

func TestConfigureIsKeptOverRestart(t *testing.T) {
	h := mustStart(t, "plain")
	if err := h.Configure(t.Context(), policy.Config{Settings: []byte(`{"k":2}`)}); err != nil {
		t.Fatal(err)
	}
	if err := h.Configure(t.Context(), policy.Config{Settings: []byte(`"bad"`)}); err == nil || !strings.Contains(err.Error(), "bad is not good") {
		t.Errorf("error %v, want the policy's", err)
	}
	pid := h.Status().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	eventually(t, time.Second, "the plugin is found down", func() bool {
		_, err := h.Decide(t.Context(), observation())
		return errors.Is(err, ErrDown)
	})
	if d := time.Since(killed); d > 500*time.Millisecond {
		t.Errorf("found down only %s after it was killed", d)
	}
	eventually(t, 5*time.Second, "the plugin is back", func() bool { return h.Status().Up && h.Status().PID != pid })
	t.Logf("back after %s", time.Since(killed))
	d, err := h.Decide(t.Context(), observation())
	if err != nil {
		t.Fatal(err)
	}
	if d.Reason != `settings {"k":2}` {
		t.Errorf("reason %q: not the configuration that was accepted last", d.Reason)
	}
	if s := h.Status(); s.Restarts != 1 || !strings.Contains(s.LastError, "killed") {
		t.Errorf("status %+v", s)
	}
}

func TestChecksum(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h := mustStart(t, "plain", func(o *Options) { o.SHA256 = hex.EncodeToString(sum.Sum(nil)) })
	if _, err := h.Decide(t.Context(), observation()); err != nil {
		t.Errorf("with the right sum: %v", err)
	}
	for _, bad := range []string{strings.Repeat("0", 64), "abc", "zz"} {
		h, err := start(t, "plain", func(o *Options) { o.SHA256 = bad })
		if !errors.Is(err, ErrChecksum) {
			t.Errorf("sum %q: error %v, want ErrChecksum", bad, err)
		}
		if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "sha256") {
			t.Errorf("sum %q: decide: %v, want ErrDown with the reason", bad, err)
		}
	}
}

func TestStartFails(t *testing.T) {
	short := func(o *Options) { o.StartTimeout = 500 * time.Millisecond }
	for _, tc := range []struct {
		mode   string
		change func(*Options)
		want   string
	}{
		{"exits", func(*Options) {}, "exit status 3"},
		{"babbles", func(*Options) {}, "hello"},
		{"silent", short, "timeout"},
		{"tcp", func(*Options) {}, "unix socket"},
		{"plain", func(o *Options) { o.Path = "/nowhere/at/all" }, "no such file"},
		{"plain", func(o *Options) { o.Config = policy.Config{Settings: []byte(`"bad"`)} }, "bad is not good"},
	} {
		began := time.Now()
		h, err := start(t, tc.mode, tc.change)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "plugin "+tc.mode) {
			t.Errorf("%s: error %v, want one with %q", tc.mode, err, tc.want)
		}
		if d := time.Since(began); d > 20*time.Second { // the plugin sleeps for a minute
			t.Errorf("%s: failed only after %s", tc.mode, d)
		}
		if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: decide: %v, want ErrDown with the reason", tc.mode, err)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	for _, tc := range []struct{ mode, want string }{
		{"nan", "NaN"},
		{"misfit", "outside"},
	} {
		h := mustStart(t, tc.mode)
		_, err := h.Decide(t.Context(), observation())
		var invalid *InvalidAnswerError
		if !errors.As(err, &invalid) || invalid.Plugin != tc.mode || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want InvalidAnswerError with %q", tc.mode, err, tc.want)
		}
	}
	for _, tc := range []struct{ mode, want string }{
		{"panics", "panic in decide: boom"},
		{"error", "no signal of offered load"},
	} {
		h := mustStart(t, tc.mode)
		for range 2 { // the second one: the plugin lives
			if _, err := h.Decide(t.Context(), observation()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %v, want %q", tc.mode, err, tc.want)
			}
		}
		if s := h.Status(); !s.Up || s.Restarts != 0 {
			t.Errorf("%s: status %+v, want up", tc.mode, s)
		}
	}
}

func TestAbstains(t *testing.T) {
	h := mustStart(t, "abstains")
	got, err := h.Decide(t.Context(), observation())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(policy.Decision{Abstain: true, Reason: "no idea"}, got); d != "" {
		t.Errorf("want no action, got +:\n%s", d)
	}
}

func TestDeadline(t *testing.T) {
	for _, mode := range []string{"slow", "busy"} {
		h := mustStart(t, mode, func(o *Options) { o.Deadline = 50 * time.Millisecond })
		for range 2 {
			began := time.Now()
			_, err := h.Decide(t.Context(), observation())
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "plugin "+mode) {
				t.Errorf("%s: error %v, want the deadline", mode, err)
			}
			if d := time.Since(began); d > time.Second {
				t.Errorf("%s: answered after %s", mode, d)
			}
		}
	}
}

func TestDiesWhileAsked(t *testing.T) {
	h := mustStart(t, "dies")
	if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) {
		t.Errorf("error %v, want ErrDown", err)
	}
	eventually(t, 5*time.Second, "the exit is reported", func() bool {
		return strings.Contains(h.Status().LastError, "exit status 7")
	})
}

func TestStuckIsKilled(t *testing.T) {
	h := mustStart(t, "stuck", func(o *Options) { o.Ping, o.Deadline = 200*time.Millisecond, 50*time.Millisecond })
	pid := h.Status().PID
	if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	eventually(t, 20*time.Second, "a new process", func() bool { s := h.Status(); return s.Up && s.PID != pid })
	if s := h.Status(); !strings.Contains(s.LastError, "health") {
		t.Errorf("last error %q", s.LastError)
	}
	if !gone(-pid) {
		t.Error("the stuck process is still there")
	}
}

func TestQuarantine(t *testing.T) {
	h, err := start(t, "exits", func(o *Options) {
		o.Restarts = Restarts{First: time.Millisecond, Min: time.Millisecond, Max: time.Millisecond, Window: time.Hour, Crashes: 3}
	})
	if err == nil {
		t.Error("no error for a plugin that exits")
	}
	eventually(t, 10*time.Second, "quarantine", func() bool { return h.Status().Quarantined })
	if s := h.Status(); s.Up || s.Restarts != 2 {
		t.Errorf("status %+v, want 2 restarts", s)
	}
	_, err = h.Decide(t.Context(), observation())
	if !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "quarantine after 3 failures") {
		t.Errorf("error %v", err)
	}
	if err := h.Configure(t.Context(), policy.Config{}); !errors.Is(err, ErrDown) {
		t.Errorf("configure: %v, want ErrDown", err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	h := mustStart(t, "child")
	pid := h.Status().PID
	d, err := h.Decide(t.Context(), observation())
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(d.Reason)
	if err != nil || gone(child) {
		t.Fatalf("child %d: %v", child, err)
	}
	h.Stop(t.Context())
	eventually(t, time.Second, "the process group is gone", func() bool { return gone(child) && gone(pid) })
	if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("after Stop: %v", err)
	}
	h.Stop(t.Context()) // again
}

func TestStopIsBounded(t *testing.T) {
	for _, mode := range []string{"stuck", "silent"} {
		h, began := mustStop(t, mode)
		h.Stop(expired(t))
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s: Stop took %s without time left", mode, d)
		}
	}
	h, began := mustStop(t, "stuck")
	h.Stop(context.Background())
	if d := time.Since(began); d > grace+time.Second {
		t.Errorf("Stop took %s", d)
	}
}

// mustStop returns a host whose plugin does not end by itself.
func mustStop(t *testing.T, mode string) (*Host, time.Time) {
	t.Helper()
	o := func(o *Options) { o.Deadline = 50 * time.Millisecond }
	if mode == "silent" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		h := New(Options{Name: mode, Path: exe, Args: []string{"plugin", mode}})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := h.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start: %v, want the deadline", err)
		}
		return h, time.Now()
	}
	h := mustStart(t, mode, o)
	if _, err := h.Decide(t.Context(), observation()); err == nil {
		t.Error("a stuck plugin answered")
	}
	return h, time.Now()
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestNeverStarted(t *testing.T) {
	h := New(Options{Name: "x"})
	starting := New(options(t, "silent"))
	starting.Begin(t.Context())
	if _, err := starting.Decide(t.Context(), observation()); err == nil || !strings.HasSuffix(err.Error(), "is down: it is being started") {
		t.Errorf("while it starts: %v", err)
	}
	starting.Stop(t.Context())
	if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) || err.Error() != "plugin x: is down: it was not started" {
		t.Errorf("decide: %v", err)
	}
	if _, err := h.Describe(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("describe: %v", err)
	}
	h.Stop(t.Context())
}

func TestHidesHostEnvironmentAndInput(t *testing.T) {
	t.Setenv("KUBECONFIG", "/root/.kube/config")
	t.Setenv("PLUGIN_SECRET", "x")
	t.Setenv("SHOP_REGION", "north")
	h := mustStart(t, "environment", func(o *Options) { o.Env = []string{"SHOP_REGION", "PLUGIN_SECRET"} })
	d, err := h.Decide(t.Context(), observation())
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"SHOP_REGION": true, "WINDVANE_PLUGIN": true, "WINDVANE_PLUGIN_LIFELINE": true}
	for _, name := range passedEnv {
		allowed[name] = true
	}
	for line := range strings.SplitSeq(d.Reason, "\x00") {
		name, _, ok := strings.Cut(line, "=")
		if ok && !allowed[name] && !strings.HasPrefix(name, "PLUGIN_") || name == "PLUGIN_SECRET" {
			t.Errorf("the plugin sees %s", name)
		}
	}
	if !strings.Contains(d.Reason, "SHOP_REGION=north") {
		t.Error("the plugin does not see SHOP_REGION, which it may")
	}
	d, err = mustStart(t, "stdin").Decide(t.Context(), observation())
	if err != nil || d.Reason != "0 EOF" {
		t.Errorf("reading standard input: %q, %v, want its end", d.Reason, err)
	}
}

func TestForwardsLogs(t *testing.T) {
	var out lockedbuffer.Buffer
	logged := func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if _, err := start(t, "exits", logged); err == nil {
		t.Error("no error")
	}
	if _, err := start(t, "exits"); err == nil || !strings.HasSuffix(err.Error(), "(the process ended: exit status 3, after it wrote: no licence found)") {
		t.Errorf("error %v, want its last words", err)
	}
	if want := `msg="no licence found" plugin=exits`; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in the log:\n%s", want, out.String())
	}
	h := mustStart(t, "panics", logged)
	if _, err := h.Decide(t.Context(), observation()); err == nil {
		t.Error("no error")
	}
	eventually(t, time.Second, "the panic is logged", func() bool {
		return strings.Contains(out.String(), `level=ERROR msg="panic in policy" plugin=panics`)
	})
}

func TestSocketDirectoryThatIsTooLongIsNamed(t *testing.T) {
	dir := "/tmp/" + strings.Repeat("d", 80)
	h := New(Options{Name: "far", Path: "/bin/true", SocketDir: dir})
	err := h.Start(t.Context())
	h.Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}
