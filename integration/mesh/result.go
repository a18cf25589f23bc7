package main

import (
	"cmp"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/windvane/windvane/integration/inforce"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
)

// result is what an evaluation prints, and writes as JSON. Shares are of 0 to 1.
type result struct {
	Commit    string             `json:"commit"`
	Cores     int                `json:"cores"`
	Meshes    int                `json:"meshes"` // that shared the cores
	Seed      uint64             `json:"seed"`
	Intervals int                `json:"intervals"` // of each run, a second each
	Budget    float64            `json:"budget_ratio"`
	Bounds    map[string]float64 `json:"bound_seconds"`
	Explored  *explored          `json:"explored,omitempty"`
	Static    map[string]*static `json:"static"` // by load
	Rows      []row              `json:"rows"`
	Bars      []bar              `json:"bars"`
	Stages    []stage            `json:"loop_seconds"`   // of the tabular runs
	Switches  []stage            `json:"switch_seconds"` // of all requests to the other side, without the daemon

	// What clients got but 200 and the commanded 429, in the exploration and the judged runs.
	Failures map[string]int `json:"failures"`

	stages stageCounts
}

// explored is what windvane has learned from.
type explored struct {
	Intervals int                `json:"intervals"`
	Rows      int                `json:"rows"` // of the dataset: intervals under settings that stayed
	Violated  map[string]float64 `json:"violated_client_ratio"`
	Failures  int                `json:"failures"`
}

// row is one service in one run. What is not known is left out.
type row struct {
	Load       string `json:"load"`
	Seed       uint64 `json:"seed"`
	Controller string `json:"controller"`
	Service    string `json:"service"`

	ViolatedClient    *float64 `json:"violated_client_ratio"`              // of the intervals, by what clients saw of the requests due in them
	ViolatedSignals   *float64 `json:"violated_signals_ratio"`             // of the intervals, by what Prometheus knew at their end
	ViolatedPredicted *float64 `json:"violated_predicted_ratio,omitempty"` // mean of what the policy expected of its own decisions

	Offered          int      `json:"offered"` // requests
	Carried          int      `json:"carried"` // answered with 200
	Shed             int      `json:"shed"`    // answered with 429
	Failed           int      `json:"failed"`  // anything else
	CarriedRatio     *float64 `json:"carried_ratio"`
	OptimumPredicted *float64 `json:"optimum_predicted_ratio"` // of the offered: what the model would have carried, knowing each interval's load
	LateSeconds      *float64 `json:"late_p99_seconds"`        // how late requests left: that much of the latencies is the load generator's
}

func newResult(n size, seed uint64, meshes int) *result {
	r := &result{
		Commit: "unknown", Cores: runtime.NumCPU(), Meshes: meshes, Seed: seed, Intervals: n.intervals, Budget: stack.Budget,
		Bounds: map[string]float64{}, Static: map[string]*static{}, Failures: map[string]int{}, stages: stageCounts{},
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(out))
	}
	for s, b := range bounds {
		r.Bounds[s] = b.Seconds()
	}
	return r
}

// switched adds what is measured of the patch alone.
func (r *result) switched(all []inforce.Switch) {
	var patch, last []float64
	for _, s := range all {
		patch, last = append(patch, s.Patch.Seconds()), append(last, s.Last.Seconds())
	}
	for name, of := range map[string][]float64{"patch": patch, "last": last} {
		r.Switches = append(r.Switches, stage{name, uint64(len(of)), ratio(loadgen.Quantile(of, .5), 1), ratio(loadgen.Quantile(of, .99), 1)})
	}
	slices.SortFunc(r.Switches, func(a, b stage) int { return strings.Compare(b.Name, a.Name) })
}

// learned adds the exploration.
func (r *result) learned(l *lesson) {
	x := &explored{Intervals: len(l.explored.signals[0]), Rows: l.rows, Violated: map[string]float64{}}
	for k, service := range stack.Services {
		c := count(l.explored, k)
		x.Failures += c.failed
		if v := ratio(c.violatedClient, c.knownClient); v != nil {
			x.Violated[service] = *v
		}
	}
	r.Explored = x
	r.fail(exploring, l.explored)
}

// add adds a run.
func (r *result) add(kind, controller string, seed uint64, rec *record, x measured, l *lesson) error {
	best, err := optimum(l.table, rec.clients)
	if err != nil {
		return err
	}
	for k, service := range stack.Services {
		c := count(rec, k)
		w := row{
			Load: kind, Seed: seed, Controller: controller, Service: service,
			ViolatedClient: ratio(c.violatedClient, c.knownClient), ViolatedSignals: ratio(c.violatedSignals, c.knownSignals),
			Offered: c.offered, Carried: c.carried, Shed: c.shed, Failed: c.failed,
			CarriedRatio:     ratio(float64(c.carried), float64(c.offered)),
			OptimumPredicted: ratio(best[k], float64(c.offered)), LateSeconds: ratio(rec.late, 1),
		}
		if of := x.risks[service]; len(of) > 0 {
			w.ViolatedPredicted = ratio(sum(of), float64(len(of)))
		}
		r.Rows = append(r.Rows, w)
	}
	slices.SortStableFunc(r.Rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(slices.Index(judged, a.Load), slices.Index(judged, b.Load)))
	})
	r.Bars = r.bars()
	r.fail(kind+" "+controller, rec)
	r.stages.add(x.stages)
	r.Stages = r.stages.list()
	return nil
}

// fail adds failures of a run.
func (r *result) fail(run string, rec *record) {
	for what, n := range rec.failed {
		r.Failures[run+": "+what] += n
	}
}

// counts are those of one service in one record.
type counts struct {
	offered, carried, shed, failed int
	violatedClient, knownClient    float64 // intervals
	violatedSignals, knownSignals  float64
}

func count(rec *record, k int) counts {
	var c counts
	bound := bounds[stack.Services[k]].Seconds()
	judge := func(latency float64, violated, known *float64) {
		if math.IsNaN(latency) {
			return // nothing was carried, or nothing is known: no success either
		}
		*known++
		if latency > bound {
			*violated++
		}
	}
	for _, i := range rec.clients[k] {
		c.offered, c.carried, c.shed, c.failed = c.offered+i.Offered, c.carried+i.Carried, c.shed+i.Shed, c.failed+i.Failed
		judge(i.P95, &c.violatedClient, &c.knownClient)
	}
	for _, latency := range rec.signals[k] {
		judge(latency, &c.violatedSignals, &c.knownSignals)
	}
	return c
}

// ratio is part of a whole; nil, as JSON knows no NaN: it is not known.
func ratio(part, whole float64) *float64 {
	if v := part / whole; !math.IsNaN(v) && !math.IsInf(v, 0) {
		return &v
	}
	return nil
}

func sum(all []float64) float64 {
	s := 0.0
	for _, v := range all {
		s += v
	}
	return s
}
