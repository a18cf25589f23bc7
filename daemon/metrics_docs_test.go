package daemon_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/testbed"
)

var update = flag.Bool("update", false, "write the generated files of docs anew")

const everyPolicy = thresholdActive + `
[[policy]]
name = "candidate"
plugin = "rules"
role = "shadow"

[[policy]]
name = "broken"
plugin = "planner"
role = "shadow"

[[budget]]
name = "all"
target = 0.95
` + crashWorkloads

// exercised is a daemon after a run in which every metric got a sample. The mesh has a
// service, and the API server a workload, that the rules file does not name.
func exercised(t *testing.T) *rig {
	t.Helper()
	r, c := sharing(t)
	r.write("windvane.toml", strings.Replace(readFile(t, r.dir+"/windvane.toml"), `builtin = "tabular"`, `command = ["/bin/false"]`, 1))
	service := strings.Replace(fmt.Sprintf(serviceText, "information"), "target = 0.95", `budget = "all"`, 1)
	r.write("rules.d/shop.toml", fmt.Sprintf(rulesText, service, "act", everyPolicy))
	r.start()
	r.leads(c)
	r.run(3)
	r.kubernetes(http.MethodPatch, shopPath, "application/json-patch+json",
		`[{"op":"add","path":"/spec/http/0/route/0/weight","value":3},{"op":"add","path":"/spec/http/0/route/1/weight","value":97}]`)
	r.run(1)
	for _, f := range []testbed.Faults{{Prometheus: true}, {Kubernetes: true}, {Scrapes: true}, {}} {
		r.testbed.Fail(f)
		r.run(1)
	}
	daemon.FeedMetrics(r.daemon, loop.Report{
		Mesh: "shop", Flagged: true, At: r.testbed.Now(),
		Intent: journal.Intent{PolicyRole: journal.RoleFallback, Edits: []journal.Edit{{Reason: string(guard.Bounds)}}},
		Outcome: &journal.Outcome{Result: journal.ResultConverged, Errors: []journal.ObjectiveError{
			{Service: "information", Signal: "latency", Error: 1, Known: true},
		}},
	})
	region := promotion.Region{Service: "information", Signal: "latency", Name: "open_even", Nominal: 1, Carried: 1, Said: 1}
	region.Ratios.Add(0)
	daemon.FeedPromotion(r.daemon, "shop", "candidate", []promotion.Item{{Code: promotion.Better, State: promotion.TooFew}}, []*promotion.Region{&region})
	r.run(1)
	answer, err := http.Get(r.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return r
}

// Every metric has a sample after that run, all are as promlint wants them, their labels
// come from the configuration or are constants, and docs/metrics.md lists them: -update
// writes it.
func TestMetrics(t *testing.T) {
	r := exercised(t)
	registry := daemon.Registry(r.daemon)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	own := slices.DeleteFunc(slices.Clone(families), func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "windvane_") })
	t.Run("labels", func(t *testing.T) { checkLabels(t, own) })
	t.Run("deployed", func(t *testing.T) { checkDeployed(t, registry, families) })
	t.Run("docs", func(t *testing.T) {
		got := metricsPage(t, registry, own)
		const file = "../docs/metrics.md"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(readFile(t, file), got); d != "" {
			t.Errorf("docs/metrics.md is not what the registry has (`go test ./daemon -run TestMetrics -update` writes it):\n%s", d)
		}
	})
}

// known are the values that labels may have: those of the files of exercised, and constants.
func known() map[string][]string {
	reasons := []string{loop.WokenByAlert, loop.WokenByApproval, loop.HoldNothingNew, loop.HoldNoLive, loop.HoldNoDecision, loop.HoldAbstained, loop.HoldJournal, loop.HoldDrift, loop.HoldRefused, loop.HoldOutOfBounds}
	for _, r := range []guard.Reason{guard.NoData, guard.Malformed, guard.Bounds, guard.Step, guard.TotalBlocking, guard.Floor, guard.Cooldown, guard.ChangeBudget, guard.Freeze, guard.BackOff, guard.Outage} {
		reasons = append(reasons, string(r))
	}
	stages := []string{"settle", "sample_age"}
	for _, s := range loop.Stages() {
		stages = append(stages, string(s))
	}
	var levels []string
	for _, a := range authority.Levels() {
		levels = append(levels, string(a))
	}
	return map[string][]string{
		"mesh": {"shop"}, "service": {"information"}, "signal": {"latency"}, "budget": {"all"}, "lease": {"default/windvane"}, "policy": {"simple", "candidate", "broken"},
		"role": {"active", "shadow", "fallback"}, "plugin": {"rules", "planner"}, "route": {"default/shop/information"},
		"destination": {"v1", "v2"}, "deployment": {"default/node-v1", "default/node-v2"}, "window": {"5m", "30m", "1h", "2h", "6h", "1d", "3d"},
		"verdict":   {string(verify.Undecided), string(verify.Converged), string(verify.NotYet), string(verify.Failed)},
		"authority": levels, "reason": reasons, "stage": stages,
		"item": {promotion.Better}, "state": {promotion.TooFew}, "region": {"open_even"}, "figure": {"median", "upper"},
		"result":  {"ok", "partial", "timeout", "error"},
		"kind":    {journal.KindStart, journal.KindIntent, journal.KindOutcome, journal.KindNote, journal.KindShadow, string(observe.KindAbsent), string(observe.KindStale), string(observe.KindError)},
		"outcome": {"hold", "applied", "planned", "unchanged", journal.ResultConverged, journal.ResultFailed, journal.ResultDrifted, journal.ResultNotApplied, journal.ResultUnknown, "firing", "repeated", "resolved", "outdated", "unmatched"},
		"handler": api.Paths(),
		"code":    {"200", "400", "401", "403", "413", "503"},
	}
}

func checkLabels(t *testing.T, families []*dto.MetricFamily) {
	allowed := known()
	allowed["source"] = append(authority.Lowering(), "main")
	for _, f := range families {
		if f.GetName() == "windvane_build_info" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(allowed[l.GetName()], l.GetValue()) {
					t.Errorf("%s: label %s=%q is neither of the configuration nor a constant; if it is one, name it here", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
}

const metricsHead = `# Metrics

What ` + "`/metrics`" + ` of the daemon says of itself, beside the usual ones of the Go runtime, the process and the handler.
Labels have values of the configuration, or constants; never what came from a query, an alert or a policy.
Histograms have classic and native buckets; those of a cycle carry its number as an exemplar, for ` + "`windvane explain CYCLE`" + `.
Generated by ` + "`go test ./daemon -run TestMetrics -update`" + `.

| metric | type | labels | meaning |
|---|---|---|---|
`

var descText = regexp.MustCompile(`fqName: "([^"]*)".* variableLabels: \{(.*)\}\}$`)

// described are the labels of windvane's metrics, by name, as a registry describes them.
func described(t *testing.T, registry *prometheus.Registry) map[string][]string {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	out := map[string][]string{}
	for d := range descs {
		parts := descText.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("cannot read %s", d)
		}
		if strings.HasPrefix(parts[1], "windvane_") {
			out[parts[1]] = strings.FieldsFunc(parts[2], func(r rune) bool { return r == ',' })
		}
	}
	return out
}

// metricsPage lists the metrics that a registry describes, with what the samples say of them.
func metricsPage(t *testing.T, registry *prometheus.Registry, families []*dto.MetricFamily) string {
	t.Helper()
	sampled := map[string]*dto.MetricFamily{}
	for _, f := range families {
		sampled[f.GetName()] = f
	}
	var lines []string
	for name, labels := range described(t, registry) {
		f := sampled[name]
		if f == nil {
			t.Errorf("%s has no sample after the run of this test: have it happen there", name)
			continue
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp()))
	}
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "`", ""), strings.ReplaceAll(b, "`", ""))
	})
	return metricsHead + strings.Join(lines, "")
}
