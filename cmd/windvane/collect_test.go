package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/station"
)

// explored is a station whose daemon has tried settings for a while, its files, and the URL of
// its Prometheus.
func explored(t *testing.T, cycles int) (s *station.Station, rules, prometheus string) {
	t.Helper()
	s, dir := openFront(t, 1017, func(text string) string {
		head, _, _ := strings.Cut(text, "[[policy]]")
		head = strings.Replace(head, `authority = "observe"`, `authority = "act"`, 1)
		return head + "[[policy]]\nname = \"explorer\"\nplugin = \"explorer\"\nrole = \"active\"\n"
	}, station.Options{Plugins: "\n[plugin.explorer]\nbuiltin = \"explore\"\n"})
	if err := s.Run(t.Context(), cycles); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "windvane.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return s, filepath.Join(dir, "front.toml"), regexp.MustCompile(`http://[0-9.:]+`).FindString(string(config))
}

// collect runs the command and reads what it wrote.
func collect(t *testing.T, args ...string) (*dataset.Dataset, lifecycle.Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "explored.dataset")
	var out, errs bytes.Buffer
	if code := run(append([]string{"collect", "--json", "-o", file}, args...), &out, &errs); code != exitOK {
		t.Fatalf("collect %q: exit code %d: %s", args, code, errs.String())
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Read(file, bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	var r lifecycle.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return d, r
}

// Of the same intervals Prometheus' history says what the daemon's journal says, to the last
// digit; and an incident is left out of both.
func TestCollectFromPrometheusAndJournalIsTheSame(t *testing.T) {
	s, rules, prometheus := explored(t, 60)
	end := station.Epoch.Add(time.Minute + 60*5*time.Second)
	times := []string{"--rules", rules, "--from", station.Epoch.Format(time.RFC3339), "--to", end.Format(time.RFC3339)}
	journal := append([]string{"--state-directory", s.State()}, times...)
	both := append([]string{"--prometheus", prometheus}, journal...)
	want, said := collect(t, journal...)
	got, report := collect(t, both...)
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("(-journal +prometheus):\n%s", d)
	}
	if want.Rows() < 40 || said.Settings[lifecycle.FromJournal] != want.Rows() || report.Settings[lifecycle.FromJournal] != got.Rows() {
		t.Errorf("%d rows; reports %+v, %+v", want.Rows(), said, report)
	}
	from := station.Epoch.Add(3 * time.Minute)
	incident := []string{"--without", from.Format(time.RFC3339) + "/" + from.Add(30*time.Second).Format(time.RFC3339)}
	want, _ = collect(t, append(journal, incident...)...)
	fewer, _ := collect(t, append(both, incident...)...)
	if d := cmp.Diff(want, fewer, cmpopts.EquateNaNs()); d != "" || fewer.Rows() >= got.Rows() || fewer.Rows() < got.Rows()-6 {
		t.Errorf("without 6 intervals, %d rows of %d (-journal +prometheus):\n%s", fewer.Rows(), got.Rows(), d)
	}
}

// What is printed for a person has all parts.
func TestCollectPrintsItsReport(t *testing.T) {
	s, rules, prometheus := explored(t, 30)
	var out, errs bytes.Buffer
	end := station.Epoch.Add(time.Minute + 30*5*time.Second)
	code := run([]string{
		"collect", "--rules", rules, "-o", filepath.Join(t.TempDir(), "x"), "--state-directory", s.State(), "--prometheus", prometheus,
		"--from", station.Epoch.Format(time.RFC3339), "--to", end.Format(time.RFC3339),
	}, &out, &errs)
	t.Log(out.String())
	for _, want := range []string{"rows with settings from the journal", "left out", "the settings are not known", "effective rows", "blocking:compute", "tenths with rows"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d: %q is missing; stderr %s", code, want, errs.String())
		}
	}
}

func TestCollectSaysWhatIsWrong(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(empty, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join("..", "..", "examples", "mo1", "rules.toml")
	out := filepath.Join(dir, "x.dataset")
	for _, x := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "--state-directory, --prometheus or --dump"},
		{[]string{"--prometheus", "localhost:9090"}, exitFailed, "the URL of Prometheus is not a http or https URL"},
		{[]string{"--prometheus", "http://127.0.0.1:1", "--from", "yesterday"}, exitUsage, `--from: "yesterday" is neither a time`},
		{[]string{"--prometheus", "http://127.0.0.1:1", "--from", "1h", "--to", "2h"}, exitUsage, "--from 1h is not before --to 2h"},
		{[]string{"--prometheus", "http://127.0.0.1:1", "--without", "2h"}, exitUsage, "--without 2h: want FROM/TO"},
		{[]string{"--prometheus", "http://127.0.0.1:1", "--without", "1h/2h"}, exitUsage, "the earlier first"},
		{[]string{"--state-directory", dir}, exitFailed, dir},
		{[]string{"--state-directory", empty}, exitFailed, "has no interval of mesh mo1 in that time"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"collect", "--rules", rules, "-o", out}, x.args...), &stdout, &stderr)
		if code != x.code || !strings.Contains(stderr.String(), x.want) {
			t.Errorf("%q: exit code %d, %q; want %d and %q", x.args, code, stderr.String(), x.code, x.want)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*dataset*")); err != nil || len(left) > 0 {
			t.Errorf("%q left %q", x.args, left)
		}
	}
}
