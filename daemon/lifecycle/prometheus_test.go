package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

// prom is the query API of a testbed, with samples of any kind.
type prom struct {
	v1.API
	asked []v1.Range
	expr  []string
	fail  func(r v1.Range) error        // nil: no query fails
	warn  func(expr string) v1.Warnings // nil: of nothing
}

// newProm has series in promtool's notation, a line each, with a value each 5 s from 0 on.
func newProm(t testing.TB, series string) *prom {
	t.Helper()
	bed, err := testbed.New(testbed.Options{
		Mesh: "front", Start: instant(0), Retention: 1000 * time.Hour,
		Graph: emulator.Graph{
			Nodes: []emulator.Node{{Name: "node", Concurrency: 1, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .01}}},
			Services: []emulator.Service{{
				Name: "idle", Load: load.Constant(0), TimeoutSeconds: 1,
				Destinations: []emulator.Destination{{Name: "v1", Path: []emulator.Visit{{Node: "node", Work: 1}}}},
			}},
			BucketBounds: []float64{100},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(api.Config{Address: bed.PrometheusURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.(api.CloseIdler).CloseIdleConnections()
		if err := bed.Close(); err != nil {
			t.Error(err)
		}
	})
	for line := range strings.Lines(series) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		metric, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if !v.Omitted {
				if err := bed.Record(metric.String(), instant(i), v.Value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return &prom{API: v1.NewAPI(client)}
}

func (p *prom) QueryRange(ctx context.Context, expr string, r v1.Range, o ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	p.asked, p.expr = append(p.asked, r), append(p.expr, expr)
	if p.fail != nil {
		if err := p.fail(r); err != nil {
			return nil, nil, nil, err
		}
	}
	value, warnings, infos, err := p.API.QueryRange(ctx, expr, r, o...)
	if p.warn != nil {
		warnings = append(warnings, p.warn(expr)...)
	}
	return value, warnings, infos, err
}

// instant is the end of the n-th interval.
func instant(n int) time.Time { return time.Unix(5*int64(n), 0).UTC() }

const routed = meshText + `
  [[service.route]]
  virtual_service = "default/front"
  http = "a"
  destinations = ["v1", "v2"]
  levels = 6
`

// parse reads rules with the signals that shares are told by.
func parse(t *testing.T, text string) *rules.Mesh {
	t.Helper()
	text = strings.Replace(text, "[[service]]", "split = 'windvane:split:ratio'\nblocked = 'windvane:blocked:ratio'\n[[service]]", 1)
	text = strings.Replace(text, "maximum = 0.8", "maximum = 0.8\n  levels = 5", 1)
	m, err := rules.Parse("shop.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// collected makes a dataset of the intervals from the first to the last.
func collected(t *testing.T, p *prom, m *rules.Mesh, first, last int, more func(*Options)) (*dataset.Dataset, *Report) {
	t.Helper()
	o := Options{Rules: m, Prometheus: &Prometheus{API: p, Timeout: time.Minute}, From: instant(first - 1), To: instant(last)}
	if more != nil {
		more(&o)
	}
	d, r, err := CollectFrom(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := 0
	for _, l := range r.LeftOut {
		out += l.Intervals
	}
	if r.Intervals != last-first+1 || r.Rows != d.Rows() || r.Rows+out != r.Intervals {
		t.Errorf("%d intervals, want %d; %d rows of %d in the report, and %d left out", r.Intervals, last-first+1, d.Rows(), r.Rows, out)
	}
	return d, r
}

func leftOut(r *Report, reason Reason) int {
	i := slices.IndexFunc(r.LeftOut, func(l LeftOut) bool { return l.Reason == reason })
	if i < 0 {
		return 0
	}
	return r.LeftOut[i].Intervals
}

// measurements has the number of the interval as the offered load, so that a row tells which
// one it is of.
const measurements = `
  windvane:offered:rate{service="a"} 0+1x400
  windvane:carried:rate{service="a"} 0+1x400
  windvane:latency_seconds:p95{service="a"} 0.05x400
`

func TestSettingsOfWindvanesOwnMetrics(t *testing.T) {
	// Blocked from the cycle at 50 on, as is scraped at 51; not scraped from 91 to 110.
	p := newProm(t, measurements+`
  windvane_blocking_ratio{mesh="shop",service="a",instance="one"} 0x50 0.2x39 _x20 0.2x90
  windvane_blocking_ratio{mesh="other",service="a"} 0.6x400
`)
	m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, "maximum = 0.8", "maximum = 0.8\n  levels = 5", 1)))
	if err != nil {
		t.Fatal(err)
	}
	d, r := collected(t, p, m, 20, 150, nil)
	var zero, blocked []float64
	for row, v := range d.Settings[0] {
		switch v {
		case 0:
			zero = append(zero, d.Offered[0][row])
		case .2:
			blocked = append(blocked, d.Offered[0][row])
		}
	}
	if len(zero)+len(blocked) != d.Rows() {
		t.Errorf("settings %v; want 0 and .2 only", d.Settings[0])
	}
	// A change is kept away from.
	for _, x := range []struct {
		what       string
		got        []float64
		first, end float64
	}{{"before", zero, 20, 47}, {"after", blocked, 53, 150}} {
		if len(x.got) == 0 || x.got[0] != x.first || x.got[len(x.got)-1] != x.end {
			t.Errorf("%s the change: intervals %v; want those from %v to %v", x.what, x.got, x.first, x.end)
		}
	}
	for _, n := range blocked {
		if n > 88 && n < 112 {
			t.Errorf("interval %v is a row, while windvane was not scraped", n)
		}
	}
	if leftOut(r, Changed) < 3 || leftOut(r, Unknown) < 20 || r.Settings[FromRecorded] != d.Rows() || d.Rows() < 90 {
		t.Errorf("report %+v", r)
	}
}

func TestSettingsOfSharesAreToldOrLeftOut(t *testing.T) {
	// 400 requests an interval and more; from 301 on the split is of no level.
	p := newProm(t, `
  windvane:offered:rate{service="a"} 100+1x400
  windvane:carried:rate{service="a"} 100x400
  windvane:latency_seconds:p95{service="a"} 0.05x400
  windvane:blocked:ratio{service="a"} 0x400
  windvane:split:ratio{service="a",version="v1"} 0.61x200 1x100 0.5x100
  windvane:split:ratio{service="a",version="v2"} 0.39x200 stale _x99 0.5x100
`)
	m := parse(t, routed)
	d, r := collected(t, p, m, 10, 380, nil)
	for row := range d.Rows() {
		n := d.Offered[0][row] - 100
		want := .6
		if n > 200 {
			want = 1
		}
		// In the order of knobs: blocking, v1, v2.
		if got := []float64{d.Settings[0][row], d.Settings[1][row], d.Settings[2][row]}; got[0] != 0 || got[1] != want || got[1]+got[2] != 1 {
			t.Errorf("interval %v: settings %v, want v1 at %v", n, got, want)
		}
		if n > 197 && n < 204 || n > 297 {
			t.Errorf("interval %v is a row, next to a change or with a split of no level", n)
		}
	}
	if d.Rows() < 280 || leftOut(r, Ambiguous) < 80 || r.Settings[FromShares] != d.Rows() {
		t.Errorf("%d rows, report %+v", d.Rows(), r)
	}
	few := newProm(t, strings.NewReplacer("100+1x400", "1x400", "100x400", "1x400").Replace(`
  windvane:offered:rate{service="a"} 100+1x400
  windvane:carried:rate{service="a"} 100x400
  windvane:latency_seconds:p95{service="a"} 0.05x400
  windvane:blocked:ratio{service="a"} 0x400
  windvane:split:ratio{service="a",version="v1"} 0.6x400
  windvane:split:ratio{service="a",version="v2"} 0.4x400
`))
	o := Options{Rules: m, Prometheus: &Prometheus{API: few, Timeout: time.Minute}, From: instant(10), To: instant(20)}
	if d, r, err := CollectFrom(t.Context(), o); err != nil || d.Rows() != 0 || leftOut(r, Ambiguous) != 10 {
		t.Errorf("4 requests an interval: %d rows, %+v, %v; want none, as several levels explain them", d.Rows(), r, err)
	}
}

const steady = measurements + `
  windvane_blocking_ratio{mesh="shop",service="a"} 0x400
`

func TestIncidentsAndAlertsAreLeftOut(t *testing.T) {
	p := newProm(t, steady+`
  ALERTS{alertname="NodeDown",alertstate="pending"} 1x400
  ALERTS{alertname="NodeDown",alertstate="firing"} _x100 1x4
  ALERTS{alertname="Other",alertstate="firing"} 1x400
`)
	m := parse(t, meshText)
	d, r := collected(t, p, m, 10, 150, func(o *Options) {
		o.Without = []Span{{instant(50).Add(time.Second), instant(52).Add(time.Second)}}
		o.Alerts = []string{"NodeDown"}
	})
	if leftOut(r, Incident) != 3 || leftOut(r, Alerted) != 5 {
		t.Errorf("%+v; want 3 intervals that touch the incident, and those with the alert", r.LeftOut)
	}
	for _, n := range d.Offered[0] {
		if n >= 51 && n <= 53 || n >= 100 && n <= 104 {
			t.Errorf("interval %v is a row", n)
		}
	}
}

func TestLongHistoryIsAskedInParts(t *testing.T) {
	p := newProm(t, strings.ReplaceAll(steady, "x400", "x2200"))
	told := 0
	d, _ := collected(t, p, parse(t, meshText), 10, 2109, func(o *Options) { o.Progress = func(done, _ int) { told = done } })
	if d.Rows() != 2100 || told != 2107 {
		t.Errorf("%d rows of 2100, %d intervals told", d.Rows(), told)
	}
	for i, r := range p.asked {
		if n := int(r.End.Sub(r.Start)/r.Step) + 1; n > mostInstants {
			t.Fatalf("query %d asks for %d instants: %s", i, n, p.expr[i])
		}
	}
	for row, n := range d.Offered[0] {
		if n != float64(row+10) {
			t.Fatalf("row %d is of interval %v", row, n)
		}
	}
}

func TestFailedQuestionsAreAskedAgainForLess(t *testing.T) {
	m := parse(t, meshText)
	options := func(p *prom) Options {
		return Options{Rules: m, Prometheus: &Prometheus{API: p, Timeout: time.Minute}, From: instant(10), To: instant(300)}
	}
	p := newProm(t, steady)
	p.fail = func(r v1.Range) error {
		if r.End.Sub(r.Start) > 100*r.Step {
			return &v1.Error{Type: v1.ErrExec, Msg: "query processing would load too many samples into memory in query execution"}
		}
		return nil
	}
	if d, _, err := CollectFrom(t.Context(), options(p)); err != nil || d.Rows() != 290 {
		t.Errorf("%v, want 290 rows in small parts", err)
	}
	p.fail = func(v1.Range) error { return &v1.Error{Type: v1.ErrServer, Msg: "503"} }
	p.asked = nil
	_, _, err := CollectFrom(t.Context(), options(p))
	for _, want := range []string{"collect: prometheus, asked for 1970-01-01T00:00:35Z to ", "signal blocked", "503", "(4 times, for fewer intervals each time)"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if len(p.asked) != attempts {
		t.Errorf("asked %d times, want %d", len(p.asked), attempts)
	}
	p.fail = func(v1.Range) error { return &v1.Error{Type: v1.ErrBadData, Msg: "parse error"} }
	p.asked = nil
	if _, _, err := CollectFrom(t.Context(), options(p)); err == nil || len(p.asked) != 1 {
		t.Errorf("a refusal: %v after %d questions, want 1", err, len(p.asked))
	}
}

// What is wrong with the journal is no failure of Prometheus'.
func TestBothNeedTheJournal(t *testing.T) {
	p := newProm(t, steady)
	dir := t.TempDir() + "/nothing"
	o := Options{Rules: parse(t, meshText), Journal: dir, Prometheus: &Prometheus{API: p, Timeout: time.Minute}, From: instant(10), To: instant(20)}
	if _, _, err := CollectFrom(t.Context(), o); err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "prometheus") {
		t.Errorf("error %v, want one of %s alone", err, dir)
	}
}

// What Prometheus answers in part is believed in no part, and the report says so.
func TestPartialAnswersAreAbsent(t *testing.T) {
	p := newProm(t, steady)
	p.warn = func(expr string) v1.Warnings {
		if expr == "windvane:latency_seconds:p95" {
			return v1.Warnings{"one store did not answer"}
		}
		return nil
	}
	d, r := collected(t, p, parse(t, meshText), 20, 119, nil)
	if d.Rows() != 100 || fmt.Sprint(d.Latency[0][50]) != "NaN" || d.Offered[0][50] != 70 {
		t.Errorf("%d rows, latency %v; want 100 rows without latency", d.Rows(), d.Latency[0][50])
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "signal latency: prometheus warned: one store did not answer") {
		t.Errorf("warnings %+v", r.Warnings)
	}
	p.warn = func(expr string) v1.Warnings {
		if strings.Contains(expr, "windvane_blocking_ratio") {
			return v1.Warnings{"one store did not answer"}
		}
		return nil
	}
	if d, r := collected(t, p, parse(t, meshText), 20, 119, nil); d.Rows() != 0 || leftOut(r, Unknown) != 100 {
		t.Errorf("%d rows with settings that were answered in part: %+v", d.Rows(), r)
	}
}
