package training_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/serve"
	"github.com/windvane/windvane/plugins/training"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// The test binary is also the plugin that trains, "plugin MODE".
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		if os.Args[2] == "untrained" {
			serve.Main(&pupil{})
		} else {
			serve.Main(&trainer{pupil{mode: os.Args[2]}})
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // what is built for the race detector takes a second to exit
	}
	os.Exit(m.Run())
}

const meshRules = `
mesh = "m"
[signals]
offered = 'o'
carried = 'c'
latency = 'l'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "50ms"
  target = 0.9
  [service.blocking]
  maximum = 1.0
  levels = 5
`

// lesson is of a service whose latency is in proportion to what it admits; it is fitted once.
var lesson = sync.OnceValues(func() (*training.Lesson, error) {
	m, err := rules.Parse("rules.toml", []byte(meshRules))
	if err != nil {
		return nil, err
	}
	l, err := training.Fit(m, data(m), strings.Repeat("0", 64), 1000, false)
	if err == nil {
		l.Shorten(80)
	}
	return l, err
})

func data(m *rules.Mesh) *dataset.Dataset {
	rng := rand.New(rand.NewPCG(1000, 1))
	d := dataset.New("m", 5, nil, []string{"a"})
	for _, k := range m.Knobs() {
		d.Knobs = append(d.Knobs, k.KnobID)
	}
	d = dataset.New("m", 5, d.Knobs, d.Services)
	for i := range 600 {
		blocked, offered := float64(i/3%5)/4, float64(4+4*(i/15%3))
		admitted := offered * (1 - blocked)
		err := d.Append(dataset.Row{
			Settings: []float64{blocked}, Offered: []float64{offered}, Carried: []float64{admitted}, Latency: []float64{(.01 + .006*admitted) * (1 + .05*rng.NormFloat64())},
		})
		if err != nil {
			panic(err)
		}
	}
	return d
}

// plugin is the test binary in a mode.
func plugin(t *testing.T, mode string) training.Plugin {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short(t))
	return training.Plugin{Name: "mine", Command: []string{exe, "plugin", mode}, Deadline: 20 * time.Second, StartTimeout: time.Minute}
}

// short is a directory for sockets that has to be empty at the test's end.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

// told is what a training says of how far it is.
type told struct {
	lines  []string
	remark func(string)
}

func (p *told) Note(what string) { p.lines = append(p.lines, what) }

func (p *told) Count(what string, done, of int) {
	if done < 0 || done > max(done, of) || of < 0 {
		panic("no share of anything")
	}
	if line := fmt.Sprintf("%d of %d %s", done, of, what); len(p.lines) < 1000 {
		p.lines = append(p.lines, line)
	}
}

func (p *told) Remark(text string) {
	p.lines = append(p.lines, text)
	if p.remark != nil {
		p.remark(text)
	}
}

func run(ctx context.Context, t *testing.T, p training.Plugin, timeout time.Duration, said *told) (*training.Result, error) {
	t.Helper()
	l, err := lesson()
	if err != nil {
		t.Fatal(err)
	}
	return training.Run(ctx, p, policy.Description{Name: "pupil", Version: "3"}, l, timeout, said)
}

func TestTrains(t *testing.T) {
	said := &told{}
	p := plugin(t, "right")
	p.Settings = []byte(`{"k":1}`)
	r, err := run(t.Context(), t, p, time.Minute, said)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Card.Plugin
	if r.Card.Policy != "pupil" || r.Card.Mesh != "m" || r.Card.Seed != 1000 || got.Version != "3" || len(got.SHA256) != 64 ||
		string(got.Settings) != `{"k":1}` || !strings.HasPrefix(got.Summary, "lane ") || !strings.HasSuffix(got.Summary, ", seed 1000") {
		t.Errorf("card %+v, plugin %+v", r.Card, got)
	}
	if len(r.Checks) != 7 || r.Missed != 0 || r.Asked != 160 || r.Report == nil {
		t.Errorf("%d checks, %d of %d decisions missed", len(r.Checks), r.Missed, r.Asked)
	}
	if len(got.Judged) != 2 || got.Judged[0].Load != "seen" || got.Judged[1].Load != "unseen" || got.Judged[0].Carried < .2 || got.Judged[0].Value == nil {
		t.Errorf("judged %+v", got.Judged)
	}
	for _, want := range []string{"pupil trains", "4 of 4 of pupil's training", "done", "6 of 7 checks of what was trained", "judging what the policy is held against"} {
		if !slices.ContainsFunc(said.lines, func(l string) bool { return strings.Contains(l, want) }) {
			t.Errorf("nobody said %q: %q", want, said.lines[:min(40, len(said.lines))])
		}
	}
}

// Every way to go wrong ends with an error that says what it was, without a process, a socket or an artefact that is left.
func TestWhatGoesWrong(t *testing.T) {
	for mode, wants := range map[string][]string{
		"crashes":  {"plugin mine: train: it ended before it had trained (the process ended: exit status 7", "out of ideas"},
		"endless":  {"it had not trained after 300ms", "and was ended; give it more time (--timeout)"},
		"nonsense": {"what it has trained fails 1 of 7 checks", "* configure: invalid character"},
		"counts":   {"fails", "repeat", "observation 0: abstain is ", "`windvane plugin check` has these checks"},
		"fails":    {"decisions had no answer, the first: plugin mine: decide: no idea of this load"},
		"open":     {`the socket has the mode Srw-------, and HOME is ""`},
	} {
		t.Run(mode, func(t *testing.T) {
			timeout := time.Minute
			if mode == "endless" {
				timeout = 300 * time.Millisecond
			}
			_, err := run(t.Context(), t, plugin(t, mode), timeout, &told{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\x1b") {
				t.Errorf("a terminal would be confused by %q", err)
			}
		})
	}
}

// A decision now and then without an answer is told, and does not waste the training.
func TestMissedDecisionsAreTold(t *testing.T) {
	r, err := run(t.Context(), t, plugin(t, "misses"), time.Minute, &told{})
	if err != nil {
		t.Fatal(err)
	}
	if share := float64(r.Missed) / float64(r.Asked); r.Missed == 0 || share > .1 || r.Failure == nil || math.IsNaN(share) {
		t.Errorf("%d of %d decisions missed: %v", r.Missed, r.Asked, r.Failure)
	}
}

// Where no table is made there is nothing to judge by, which is known before a training.
func TestWithoutATable(t *testing.T) {
	m, err := rules.Parse("rules.toml", []byte(meshRules))
	if err != nil {
		t.Fatal(err)
	}
	l, err := training.Fit(m, data(m), strings.Repeat("0", 64), 1000, true)
	if err != nil || l.Untried == nil || !strings.Contains(l.Untried.Error(), "no table") {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := lesson(); err != nil || l.Untried != nil {
		t.Errorf("with a table: %v, %v", l.Untried, err)
	}
}

func TestStops(t *testing.T) {
	for _, at := range []string{"no [2Jtotal", "answers"} {
		ctx, cancel := context.WithCancel(t.Context())
		mode := "endless"
		if at == "answers" {
			mode = "right"
		}
		_, err := run(ctx, t, plugin(t, mode), time.Minute, &told{remark: func(text string) {
			if text == at {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at %q: %v", at, err)
		}
		cancel()
	}
}

func TestAsk(t *testing.T) {
	for mode, want := range map[string]string{
		"untrained": "its policy pupil has no Train, and nothing to be trained",
		"path":      `calls itself "../pupil"; want a letter and`,
		"tabular":   `calls itself "tabular", as one of windvane's own does`,
	} {
		if _, err := training.Ask(t.Context(), plugin(t, mode), []string{"tabular"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", mode, err, want)
		}
	}
	p := plugin(t, "right")
	p.SHA256 = strings.Repeat("0", 64)
	if _, err := training.Ask(t.Context(), p, nil); !errors.Is(err, host.ErrChecksum) {
		t.Errorf("another program: %v", err)
	}
}
