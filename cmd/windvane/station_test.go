package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/station"
)

// openFront opens a station of the operated mesh in a directory of its own, until the test ends.
// change makes its rules of those of testdata/operate.toml; o says what else is of the test.
func openFront(t *testing.T, seed uint64, change func(rules string) string, o station.Options) (s *station.Station, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wv") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	rules, err := os.ReadFile("testdata/operate.toml")
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Rules, o.Object, o.Executable = dir, []byte(change(string(rules))), "front", filepath.Join(built, "windvane")
	o.Emulator = emulator.Options{Graph: operatedMesh(t), Seed: seed, SettleSeconds: .5}
	o.Interval, o.Scrape, o.From = 5*time.Second, time.Second, time.Minute
	if o.Watch == nil {
		o.Watch = func(station.Step) {}
	}
	if s, err = station.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}
