package model

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// queueKnobs are those of two services over the same two destinations.
func queueKnobs() []policy.Knob {
	var out []policy.Knob
	for _, s := range []string{"a", "b"} {
		out = append(out, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: s}, Service: s, Max: 1, Levels: 6})
	}
	for _, s := range []string{"a", "b"} {
		for _, part := range []string{"v1", "v2"} {
			out = append(out, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + s, Part: part}, Service: s, Max: 1, Levels: 6})
		}
	}
	return out
}

// twoQueues samples services a and b over nodes of capacity 60 and 40 requests/s, a
// request of b being twice the work: the plain law of a single server, with noise. The
// nodes have the given shares of their capacity.
func twoQueues(seed uint64, rows int, noise float64, shares [2]float64) *dataset.Dataset {
	rng := rand.New(rand.NewPCG(seed, 4))
	var ids []policy.KnobID
	for _, k := range queueKnobs() {
		ids = append(ids, k.KnobID)
	}
	d := dataset.New("test", 5, ids, []string{"a", "b"})
	for range rows {
		var block, w, load [2]float64
		for s := range 2 {
			block[s], w[s], load[s] = .5*float64(rng.IntN(6))/5, float64(rng.IntN(6))/5, []float64{5, 3}[s]+[]float64{25, 10}[s]*rng.Float64()
		}
		var used [2]float64
		for node := range 2 {
			flow := 0.0
			for s := range 2 {
				share := []float64{w[s], 1 - w[s]}[node]
				flow += float64(s+1) * load[s] * (1 - block[s]) * share
			}
			used[node] = min(.97, flow/(shares[node]*[]float64{60, 40}[node]))
		}
		row := dataset.Row{Settings: []float64{block[0], block[1], w[0], 1 - w[0], w[1], 1 - w[1]}, Offered: load[:], Carried: load[:]}
		for s := range 2 {
			worst := 0.0
			for node, share := range []float64{w[s], 1 - w[s]} {
				if share > 0 {
					worst = max(worst, .03*float64(s+1)*(1+used[node]/(1-used[node])))
				}
			}
			row.Latency = append(row.Latency, worst*math.Exp(noise*rng.NormFloat64()))
		}
		if err := d.Append(row); err != nil {
			panic(err)
		}
	}
	return d
}

// missed is the root mean square of log(measured/predicted).
func missed(d *dataset.Dataset, predict func(out, settings, offered []float64)) float64 {
	out, sum, n := make([]float64, len(d.Services)), 0.0, 0.0
	for row := range d.Rows() {
		predict(out, at(d.Settings, row), at(d.Offered, row))
		for s, v := range out {
			e := math.Log(d.Latency[s][row] / v)
			sum += e * e
			n++
		}
	}
	return math.Sqrt(sum / n)
}

func fitQueue(t *testing.T, d *dataset.Dataset) *Queue {
	t.Helper()
	q, err := FitQueue(d, queueKnobs())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// From few rows queues tell what trees do not: they know the form of the law.
func TestQueuesLearnQueues(t *testing.T) {
	train, test := twoQueues(1, 300, .05, [2]float64{1, 1}), twoQueues(2, 1000, 0, [2]float64{1, 1})
	q, units := fitQueue(t, train), []float64{1, 1, 1}
	trees, err := FitMean(train, queueKnobs(), TreeParamsFor(train.Rows()))
	if err != nil {
		t.Fatal(err)
	}
	of := missed(test, func(out, settings, offered []float64) { q.Latency(out, units, settings, offered) })
	if ofTrees := missed(test, trees.Predictor().Latency); of > .1 || of > .7*ofTrees {
		t.Errorf("queues miss by %.3f, trees by %.3f", of, ofTrees)
	}
	out, settings, offered := make([]float64, 2), at(test.Settings, 0), at(test.Offered, 0)
	if n := testing.AllocsPerRun(100, func() { q.Latency(out, units, settings, offered) }); n != 0 {
		t.Errorf("%v allocations a prediction", n)
	}
}

func TestQueuesAreDeterministic(t *testing.T) {
	fit := func() []byte {
		return fmt.Appendf(nil, "%x", fitQueue(t, twoQueues(3, 200, .05, [2]float64{1, 1})).values)
	}
	all := fit()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := fit(); !bytes.Equal(one, all) {
		t.Error("one core fits another model than all of them")
	}
}

func TestQueuesRefuseReplicas(t *testing.T) {
	d := twoQueues(1, 200, .05, [2]float64{1, 1})
	knobs := append(queueKnobs(), policy.Knob{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "ns/v1"}, Min: 1, Max: 5})
	d.Knobs = append(d.Knobs, knobs[len(knobs)-1].KnobID)
	replicas := make([]float64, d.Rows())
	for row := range replicas {
		replicas[row] = float64(1 + row%5)
	}
	d.Settings = append(d.Settings, replicas)
	if _, err := FitQueue(d, knobs); err == nil || !strings.Contains(err.Error(), "replicas:ns/v1") {
		t.Errorf("error %v does not name the knob", err)
	}
	few := d.Select(func(row int) bool { return row < 10 })
	few.Knobs, few.Settings = few.Knobs[:6], few.Settings[:6]
	if _, err := FitQueue(few, queueKnobs()); err == nil {
		t.Error("10 rows were taken")
	}
}

// The filter finds the node that has lost a third, from random actions within a
// hundred intervals, and what it has found speaks for actions that were not tried. It
// invents no loss where there is none.
func TestCapacityFilterFindsTheNode(t *testing.T) {
	q := fitQueue(t, twoQueues(1, 600, .05, [2]float64{1, 1}))
	for _, shares := range [][2]float64{{.67, 1}, {1, .67}, {1, 1}} {
		f := NewCapacityFilter(q)
		live, known, ratio := twoQueues(5, 100, .05, shares), make([]float64, 2), make([]float64, 2)
		for row := range live.Rows() {
			settings, offered := at(live.Settings, row), at(live.Offered, row)
			q.Latency(known, []float64{1, 1, 1}, settings, offered)
			for s := range ratio {
				ratio[s] = live.Latency[s][row] / known[s]
			}
			if row%10 == 3 {
				ratio[0] = math.NaN()
			}
			f.Learn(settings, offered, ratio)
		}
		capacity := make([]float64, len(q.Names))
		f.Capacity(capacity)
		for node, want := range []float64{shares[0], shares[1], 1} {
			if math.Abs(capacity[node]-want) > .12 {
				t.Errorf("shares %v: capacities %.2f of %v", shares, capacity, q.Names)
			}
		}
		test := twoQueues(6, 500, 0, shares)
		stale := missed(test, func(out, settings, offered []float64) { q.Latency(out, []float64{1, 1, 1}, settings, offered) })
		got := missed(test, func(out, settings, offered []float64) { q.Latency(out, capacity, settings, offered) })
		if shares != [2]float64{1, 1} && got > .6*stale {
			t.Errorf("shares %v: corrected it misses by %.3f, uncorrected by %.3f", shares, got, stale)
		}
	}
}
