package learned

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/nn"
)

// Artefact is what the policy is configured with: the network that proposes, and the
// table of predictions that its proposals are held against.
type Artefact struct {
	Net   *nn.Net // from Observe's features to the logits of each axis' categories
	Table *model.Table
	Bound []float64 // by service: the bound that the features are relative to, seconds; +Inf where there is none
}

// The range of limits that a network is trained in, over the bound: a prediction may
// reach MaxLimit times the bound under a margin far below zero, and has to stay below
// MinLimit times it under a large one. Beyond, the nearest counts.
const (
	MinLimit = .55
	MaxLimit = 1.45
)

// Observe writes what a network sees, within [0, 1]: the offered load of each service
// (requests/s) within the loads of the table, then, for each, the latency that a
// prediction may reach (seconds), as the logarithm of its share of the bound.
func Observe(out []float32, loads [][]float64, bound, offered, limit []float64) {
	n := len(offered)
	for s, v := range offered {
		low, high := loads[s][0], loads[s][len(loads[s])-1]
		out[s] = unit(v, low, high)
		out[n+s] = 1
		if !math.IsInf(bound[s], 1) {
			out[n+s] = unit(math.Log(limit[s]/bound[s]), math.Log(MinLimit), math.Log(MaxLimit))
		}
	}
}

// unit is where v lies between low and high, as 0 to 1.
func unit(v, low, high float64) float32 {
	if !(high > low) {
		return 0
	}
	return float32(math.Max(0, math.Min(1, (v-low)/(high-low))))
}

// encoded is an artefact as it is stored.
type encoded struct {
	Net   []byte
	Table *model.Table
	Bound []float64
}

// Encode writes the artefact as it is handed to Configure.
func (a *Artefact) Encode() ([]byte, error) {
	net, err := a.Net.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("learned: encode: %w", err)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(encoded{net, a.Table, a.Bound}); err != nil {
		return nil, fmt.Errorf("learned: encode: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads what Encode wrote. It refuses parts that do not fit each other.
func Decode(src []byte) (*Artefact, error) {
	var e encoded
	if err := gob.NewDecoder(bytes.NewReader(src)).Decode(&e); err != nil {
		return nil, fmt.Errorf("learned: not an artefact of this policy: %w; train it again", err)
	}
	a := &Artefact{Net: new(nn.Net), Table: e.Table, Bound: e.Bound}
	if e.Table == nil {
		return nil, errors.New("learned: the artefact has no table of predictions; train it again")
	}
	if _, err := e.Table.Actions(); err != nil {
		return nil, fmt.Errorf("learned: %w", err)
	}
	if err := a.Net.UnmarshalBinary(e.Net); err != nil {
		return nil, fmt.Errorf("learned: %w", err)
	}
	axes, err := policy.Axes(e.Table.Knobs)
	if err != nil {
		return nil, fmt.Errorf("learned: %w", err)
	}
	outputs := 0
	for _, axis := range axes {
		outputs += len(axis.Values)
	}
	n := len(e.Table.Services)
	if a.Net.Inputs() != 2*n || a.Net.Outputs() != outputs || len(a.Bound) != n {
		return nil, fmt.Errorf("learned: the network has %d inputs, %d outputs and %d bounds, the table asks for %d, %d and %d; train it again",
			a.Net.Inputs(), a.Net.Outputs(), len(a.Bound), 2*n, outputs, n)
	}
	for s, b := range a.Bound {
		if !(b > 0) {
			return nil, fmt.Errorf("learned: the bound of %s is %v; train it again", e.Table.Services[s], b)
		}
	}
	return a, nil
}
