package eval

import (
	"context"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// The corrections that ModelFaults compares.
const (
	CorrectionNone     = "none"
	CorrectionFlows    = "flows"    // recursive least squares over the routes, as the daemon has it
	CorrectionCapacity = "capacity" // a factor by the capacities of the queues
)

// FaultOptions say what ModelFaults compares on.
type FaultOptions struct {
	Graph   Graph
	Rules   *rules.Mesh
	Seed    uint64 // of the first run
	Seeds   int
	Samples int // intervals that are learned from; 0: samplesPerService for each service

	// Progress is told how many of what are done; may be nil.
	Progress func(what string, done, of int)

	tested    int   // intervals that are predicted; 0: faultTested
	intervals []int // of correction; nil: faultIntervals
}

// FaultReport says how wrong models are of an emulated mesh once it is not the one that
// they have learned, after intervals of correction by what is measured live.
type FaultReport struct {
	Mesh    string       `json:"mesh"`
	Node    string       `json:"node"`
	Servers float64      `json:"servers"` // what the fault leaves of them
	Samples int          `json:"samples"`
	Seeds   []uint64     `json:"seeds"`
	Bound   FaultError   `json:"refitted"` // trees fitted on as many intervals after the fault
	Scores  []FaultScore `json:"scores"`
}

// FaultScore is one model under one correction.
type FaultScore struct {
	Live       string       `json:"live"`
	Model      string       `json:"model"`
	Correction string       `json:"correction"`
	Errors     []FaultError `json:"errors"`
}

// FaultError is over random actions at random loads that the model has not seen.
type FaultError struct {
	Intervals int      `json:"intervals"`       // of correction
	Log       Estimate `json:"log_error"`       // root mean square of log(measured/predicted)
	Wrong     Estimate `json:"wrong_of_bounds"` // share of latencies that are on the other side of their bound than predicted
}

// What is corrected, and how.
var (
	faultModels      = []string{ModelTrees, ModelQueues, ModelCombined}
	faultCorrections = []string{CorrectionNone, CorrectionFlows, CorrectionCapacity}
)

// faultCase is what is measured live.
type faultCase struct {
	name        string
	fault, held bool
}

var faultCases = []faultCase{
	{"fault, random actions", true, false},
	{"fault, one action all along", true, true},
	{"no fault, random actions", false, false},
}

// faultIntervals of correction are compared; the last are all that there are.
var faultIntervals = []int{0, 10, 30, 100, 300}

// faultTested intervals are predicted.
const faultTested = 600

// ModelFaults compares models and their live corrections after a fault of an emulated
// mesh. Each run learns from random settings at random loads of its own. The same
// options give the same report.
func ModelFaults(ctx context.Context, o FaultOptions) (FaultReport, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.Samples == 0 {
		o.Samples = samplesPerService * len(o.Rules.PolicyServices())
	}
	if o.tested == 0 {
		o.tested, o.intervals = faultTested, faultIntervals
	}
	r := FaultReport{Mesh: o.Rules.Name, Node: o.Graph.Fault.Node, Servers: o.Graph.Fault.Factor, Samples: o.Samples}
	runs := faultRuns{}
	for seed := o.Seed; seed < o.Seed+uint64(o.Seeds); seed++ {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		o.Progress("runs", len(r.Seeds), o.Seeds)
		if err := o.run(seed, runs); err != nil {
			return r, fmt.Errorf("seed %d: %w", seed, err)
		}
		r.Seeds = append(r.Seeds, seed)
	}
	r.Bound = runs.error(faultKey{model: ModelTrees, correction: refitted})
	r.Scores = runs.scores(o.intervals)
	return r, nil
}

// refitted stands for a correction that has learned everything anew.
const refitted = "refitted"

// Streams of random numbers of a run.
const (
	streamFaultLearn = iota + 201
	streamFaultTest
	streamFaultLive
	streamFaultRefit
)

func (o FaultOptions) run(seed uint64, runs faultRuns) error {
	learn, err := o.record(seed, streamFaultLearn, o.Samples, faultCase{})
	if err != nil {
		return err
	}
	fitted, err := fitModels(learn, o.Rules.Knobs())
	if err != nil {
		return err
	}
	if fitted.queue == nil {
		return fmt.Errorf("%w: there is nothing to compare after a fault", model.ErrNoQueues)
	}
	tests := map[bool]*dataset.Dataset{}
	for _, fault := range []bool{false, true} {
		if tests[fault], err = o.record(seed, streamFaultTest, o.tested, faultCase{fault: fault}); err != nil {
			return err
		}
	}
	anew, err := o.record(seed, streamFaultRefit, o.Samples, faultCase{fault: true})
	if err != nil {
		return err
	}
	trees, err := model.FitMean(anew, o.Rules.Knobs(), model.TreeParamsFor(anew.Rows()))
	if err != nil {
		return err
	}
	runs.add(faultKey{model: ModelTrees, correction: refitted}, o.wrong(tests[true], trees.Predictor().Latency))
	for _, c := range faultCases {
		live, err := o.record(seed, streamFaultLive, o.intervals[len(o.intervals)-1], c)
		if err != nil {
			return err
		}
		for _, name := range faultModels {
			for _, correction := range faultCorrections {
				o.follow(newCorrected(o.Rules, learn, fitted, name, correction), live, tests[c.fault], faultKey{live: c.name, model: name, correction: correction}, runs)
			}
		}
	}
	return nil
}

// follow corrects a model by what is live, and tests it now and then.
func (o FaultOptions) follow(m *corrected, live, test *dataset.Dataset, key faultKey, runs faultRuns) {
	at := 0
	for _, intervals := range o.intervals {
		for ; at < intervals && m.correction != CorrectionNone; at++ {
			m.learn(live, at)
		}
		key.intervals = intervals
		runs.add(key, o.wrong(test, m.predict))
	}
}

// faultMiss is how wrong a model was in one run.
type faultMiss struct{ log, wrong float64 }

// wrong compares predictions with what was measured, over all services.
func (o FaultOptions) wrong(d *dataset.Dataset, predict latencyModel) faultMiss {
	bounds := make([]float64, len(d.Services))
	for s, service := range o.Rules.PolicyServices() {
		bounds[s] = math.Inf(1)
		for _, objective := range service.Objectives {
			if objective.Kind == policy.LatencyObjective {
				bounds[s] = objective.Bound
			}
		}
	}
	var m faultMiss
	out, n := make([]float64, len(d.Services)), 0.0
	eachRow(d, func(row int, settings, offered []float64) {
		predict(out, settings, offered)
		for s, v := range out {
			y := d.Latency[s][row]
			if !(y > 0) {
				continue
			}
			n++
			m.log += math.Log(y/v) * math.Log(y/v)
			if (y > bounds[s]) != (v > bounds[s]) {
				m.wrong++
			}
		}
	})
	return faultMiss{math.Sqrt(m.log / n), m.wrong / n}
}
