//go:build integration

package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// collectText are rules with the signals that tell settings without a journal, and a policy
// that tries settings.
func collectText() string {
	text := stack.Rules(stack.RulesOptions{Authority: rules.AuthorityAct, Interval: interval, Bounds: bounds, Policies: `
[[policy]]
name = "explorer"
plugin = "explorer"
role = "active"
`})
	return strings.Replace(text, "[guard]", "split = 'windvane:split:ratio'\nblocked = 'windvane:blocked:ratio'\n\n[guard]", 1)
}

// collect runs the command and reads what it wrote; nil: it found no row.
func collect(t *testing.T, w *stack.Windvane, args ...string) (*dataset.Dataset, lifecycle.Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "explored.dataset")
	args = append([]string{"collect", "--json", "--rules", filepath.Join(w.Dir, "rules.toml"), "-o", file}, args...)
	var out, errs bytes.Buffer
	command := exec.CommandContext(t.Context(), w.Program, args...)
	command.Stdout, command.Stderr = &out, &errs
	failed := command.Run()
	var r lifecycle.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("windvane %q: %v, %v, %s", args, failed, err, errs.String())
	}
	t.Logf("windvane %q: %d rows of %d intervals, %v, left out %+v, warnings %v", args, r.Rows, r.Intervals, r.Settings, r.LeftOut, r.Warnings)
	if failed != nil {
		return nil, r
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Read(file, bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	return d, r
}

// Of the same time a real Prometheus' history says what the journal says; and while nothing is
// changed, the requests alone tell the settings.
func TestHistoryIsWhatTheJournalSays(t *testing.T) {
	offering(t, 40)
	time.Sleep(2 * interval) // until there are rates
	began := time.Now()
	w := late(t, stack.WindvaneOptions{Name: "collected", Rules: collectText(), Plugins: "\n[plugin.explorer]\nbuiltin = \"explore\"\n"})
	eventually(t, w, 25*time.Second, "13 cycles", func(m api.Mesh) bool { return m.Cycle > 13 })
	w.Stop(10 * time.Second)
	a := actuator(t) // releases the explorer's settings in the end
	left := time.Now()
	live, _, err := a.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := []string{"--from", began.Format(time.RFC3339Nano)}
	journal := append([]string{"--state-directory", w.State()}, from...)
	want, _ := collect(t, w, journal...)
	got, _ := collect(t, w, append([]string{"--prometheus", prometheus.URL(), "--query-offset", offset}, journal...)...)
	if want == nil || got == nil {
		t.Fatal("there is no row")
	}
	// On a slow machine a sample may have come in after the daemon had asked, offset or not.
	if both := common(want, got); 3*both < 2*want.Rows() || want.Rows() < 3 {
		t.Errorf("%d of %d rows are the same:\n%v\n%v", both, want.Rows(), rowsOf(want), rowsOf(got))
	}

	time.Sleep(11 * interval) // under settings that stay
	alone, r := collect(t, w, "--prometheus", prometheus.URL(), "--from", left.Format(time.RFC3339Nano))
	if alone == nil || r.Settings[lifecycle.FromShares] != alone.Rows() || alone.Rows() < 2 {
		t.Fatalf("without the journal: %+v; want rows with settings from shares", r)
	}
	for row := range alone.Rows() {
		for k, id := range alone.Knobs {
			if v, _ := live.Get(id); v-alone.Settings[k][row] > policy.Rounding || alone.Settings[k][row]-v > policy.Rounding {
				t.Errorf("row %d: %s is told to be %v, and is %v", row, id, alone.Settings[k][row], v)
			}
		}
	}
}

// offset is that of the daemon's queries, so that samples which come in late are seen by the
// daemon as they are seen afterwards: an evaluation of the recording rules.
const offset = "200ms"

// late starts a daemon with the offset.
func late(t *testing.T, o stack.WindvaneOptions) *stack.Windvane {
	t.Helper()
	o.Program, o.User, o.Prometheus = program, windvane, prometheus.URL()
	w, err := shared.NewWindvane(o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("[prometheus.main]\n"), []byte("[prometheus.main]\nquery_offset = \""+offset+"\"\n"), 1)
	if err := os.WriteFile(w.Config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, w)
	t.Cleanup(func() { w.Stop(10 * time.Second) })
	return w
}

// rowsOf are the rows as text.
func rowsOf(d *dataset.Dataset) (out []string) {
	for row := range d.Rows() {
		text := ""
		for _, columns := range [][][]float64{d.Settings, d.Offered, d.Carried, d.Latency} {
			for _, c := range columns {
				text += fmt.Sprintf("%.6g ", c[row])
			}
		}
		out = append(out, text)
	}
	return out
}

// common counts the rows that are in both.
func common(a, b *dataset.Dataset) (n int) {
	in := map[string]int{}
	for _, row := range rowsOf(a) {
		in[row]++
	}
	for _, row := range rowsOf(b) {
		if in[row] > 0 {
			in[row]--
			n++
		}
	}
	return n
}
