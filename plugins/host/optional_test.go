package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

// trainer is a fakePolicy with the optional calls.
type trainer struct{ fakePolicy }

func (f *trainer) Train(ctx context.Context, t policy.Training) (policy.Trained, error) {
	t.Progress(1, 2, "half\nway")
	switch string(t.Settings) {
	case `"fails"`:
		return policy.Trained{}, errors.New("no simulator at " + t.Simulator)
	case `"exits"`:
		os.Exit(3)
	case `"killed"`:
		return policy.Trained{}, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case `"waits"`:
		<-ctx.Done()
	case `"nothing"`:
		return policy.Trained{}, nil
	case `"huge"`:
		return policy.Trained{Artefact: make([]byte, 61<<20)}, nil
	case `"talks"`:
		return policy.Trained{Artefact: []byte{1}, Summary: strings.Repeat("x", 5000)}, nil
	}
	artefact := slices.Repeat([]byte{byte(t.Seed)}, 1<<20) // more than other answers may have
	return policy.Trained{Artefact: artefact, Summary: fmt.Sprintf("%s\x1b%s", t.Settings, t.Simulator)}, nil
}

func (f *trainer) Export(_ context.Context, rows int) (policy.Table, error) {
	t := policy.Table{Columns: []string{"load", "blocking"}, Rows: [][]string{{"1/s", "0"}, {"9/s", f.settings}}, Note: "two of nine rows"}
	if rows == 1 {
		t.Rows = append(t.Rows, []string{"short"})
	}
	return t, nil
}

func TestTrain(t *testing.T) {
	o := options(t, "trains")
	told := ""
	training := policy.Training{Settings: []byte(`{"k":1}`), Simulator: "unix:/x", Seed: 7, Progress: func(done, total uint64, note string) {
		told = fmt.Sprint(done, " of ", total, ": ", note)
	}}
	got, err := Train(t.Context(), o, training)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Artefact) != 1<<20 || got.Artefact[0] != 7 || got.Summary != `{"k":1} unix:/x` || told != "1 of 2: half way" {
		t.Errorf("%d bytes, summary %q, progress %q", len(got.Artefact), got.Summary, told)
	}
	for settings, want := range map[string]string{
		"fails": "plugin trains: train: no simulator at unix:/x", "exits": "it ended before it had trained (the process ended: exit status 3",
		"killed": "(the process ended: signal: killed", "nothing": "the artefact is empty", "huge": "an artefact has at most 62914560 bytes", "talks": "summary of 5000 bytes",
	} {
		training.Settings = fmt.Appendf(nil, "%q", settings)
		if _, err := Train(t.Context(), o, training); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", settings, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	training.Settings, training.Progress = []byte(`"waits"`), func(uint64, uint64, string) { cancel() }
	if _, err := Train(ctx, o, training); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v, want the context's error", err)
	}
	if _, err := Train(t.Context(), options(t, "plain"), training); !errors.Is(err, ErrUnsupported) {
		t.Errorf("without Train: %v, want ErrUnsupported", err)
	}
}

func TestAsk(t *testing.T) {
	o := options(t, "trains")
	o.Config.Settings = []byte(`"bad"`) // which it is not told
	if got, err := Ask(t.Context(), o); err != nil || got.Name != "fake" || !got.Trains || !got.Exports {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Ask(t.Context(), options(t, "exits")); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("one that exits: %v", err)
	}
	o.SHA256 = strings.Repeat("0", 64)
	if _, err := Ask(t.Context(), o); !errors.Is(err, ErrChecksum) {
		t.Errorf("another file: %v", err)
	}
}

func TestExport(t *testing.T) {
	h := mustStart(t, "trains")
	got, err := h.Export(t.Context(), 10)
	want := policy.Table{Columns: []string{"load", "blocking"}, Rows: [][]string{{"1/s", "0"}, {"9/s", `{"k":1}`}}, Note: "two of nine rows"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	var invalid *InvalidAnswerError
	if _, err := h.Export(t.Context(), 1); !errors.As(err, &invalid) {
		t.Errorf("more rows than wanted: %v, want an InvalidAnswerError", err)
	}
	if _, err := mustStart(t, "plain").Export(t.Context(), 1); !errors.Is(err, ErrUnsupported) {
		t.Errorf("without Export: %v, want ErrUnsupported", err)
	}
}
