package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/station"
)

// unexplored is a station whose daemon has no policy of its own, its directory and its rules file.
func unexplored(t *testing.T, authority string) (s *station.Station, rules string) {
	t.Helper()
	s, dir := openFront(t, 1017, func(text string) string {
		head, _, _ := strings.Cut(text, "[[policy]]")
		return strings.Replace(head, `authority = "observe"`, `authority = "`+authority+`"`, 1)
	}, station.Options{Address: "127.0.0.1:0"})
	t.Setenv("RUNTIME_DIRECTORY", dir)
	return s, filepath.Join(dir, "front.toml")
}

// A person has a mesh explored, interrupts it, goes on with the same command, and has a
// dataset in the end with what it has cost.
func TestCollectExplores(t *testing.T) {
	s, rules := unexplored(t, "act")
	if err := s.Run(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	meter := progress.New("collect", io.Discard)
	defer meter.Stop()
	x := &exploring{client: &client{}}
	x.request.Intervals, x.request.Seed = 40, 1
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	mesh := s.Status().Meshes[0].Name
	if _, err := x.explore(stopped, mesh, 5*time.Second, meter); err == nil || !strings.Contains(err.Error(), "exploring is paused, and the same command goes on with it") {
		t.Fatalf("interrupted: %v", err)
	}
	if is := s.Status().Meshes[0].Exploration; is == nil || is.Phase != "returning" || is.Allowance != 2 {
		t.Fatalf("interrupted: %+v", is)
	}

	// The mesh lives on meanwhile.
	alive, end := context.WithCancel(t.Context())
	lived := make(chan error, 1)
	go func() {
		for alive.Err() == nil {
			if err := s.Run(t.Context(), 1); err != nil {
				lived <- err
				return
			}
		}
		lived <- nil
	}()
	var out, errs bytes.Buffer
	file := filepath.Join(t.TempDir(), "front.dataset")
	code := run([]string{"collect", "--explore", "--intervals", "40", "--allowance", "4", "--rules", rules, "--state-directory", s.State(), "-o", file}, &out, &errs)
	end()
	if err := <-lived; err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"explored 40 intervals since", "extra, of 4 allowed", "rows", "left out"} {
		if code != exitOK || !strings.Contains(text, want) {
			t.Errorf("exit code %d, no %q in:\n%s%s", code, want, text, errs.String())
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	out.Reset()
	if code := run([]string{"status"}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "exploration done: 40 of 40 intervals") {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}

func TestCollectDoesNotExplore(t *testing.T) {
	s, rules := unexplored(t, "observe")
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"is not explored: exploring changes settings, and the authority is observe": {exitFailed, nil},
		"leave out --from and --to":                                      {exitUsage, []string{"--from", "1h"}},
		"0 intervals: want 1 to 2000":                                    {exitFailed, []string{"--intervals", "0"}},
		"no daemon answers at http://127.0.0.1:1":                        {exitFailed, []string{"--url", "http://127.0.0.1:1"}},
		"an allowance of -1 violated intervals: want 0 up to the number": {exitFailed, []string{"--allowance=-1"}},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"collect", "--explore", "--rules", rules, "--state-directory", s.State(), "-o", filepath.Join(t.TempDir(), "x")}, c.args...)
		if code := run(args, &out, &errs); code != c.code || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: exit code %d, %s; want %d, %q", c.args, code, errs.String(), c.code, want)
		}
	}
}
