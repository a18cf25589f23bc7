package model

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"runtime"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
)

// Encode writes the model.
func (m *System) Encode() ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(m); err != nil {
		return nil, fmt.Errorf("model: encode: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeSystem reads what Encode wrote.
func DecodeSystem(src []byte) (*System, error) {
	var m System
	if err := gob.NewDecoder(bytes.NewReader(src)).Decode(&m); err != nil {
		return nil, fmt.Errorf("model: not a system model: %w; train it again", err)
	}
	f, err := newFeatures(m.Knobs, m.Services)
	if err != nil {
		return nil, err
	}
	m.features = f
	for _, e := range m.Trees {
		if err := e.check(f.size()); err != nil {
			return nil, err
		}
	}
	for _, e := range m.Carriers {
		if e != nil && len(e.Roots) == 0 {
			continue // carried load that was never measured
		}
		if err := e.check(f.size()); err != nil {
			return nil, err
		}
	}
	if len(m.Fit) > 0 && len(m.Fit) != len(m.Services) || len(m.Trees) != len(m.Services) || len(m.Carriers) != len(m.Services) || len(m.Offered) != len(m.Services) || len(m.Settings) != len(m.Knobs) {
		return nil, fmt.Errorf("model: it is damaged: %d services, %d models; train it again", len(m.Services), len(m.Trees))
	}
	for _, f := range m.Fit {
		if err := f.Scale.Check(); err != nil {
			return nil, fmt.Errorf("model: service %s: %w; train it again", f.Service, err)
		}
	}
	return &m, nil
}

// check makes sure that a decoded ensemble cannot send Predict out of bounds or round in circles.
func (e *Ensemble) check(features int) error {
	if e == nil || e.Features != features {
		return fmt.Errorf("model: its trees are for other features; train it again")
	}
	for i, n := range e.Nodes {
		inside := n.Left > int32(i) && n.Right > int32(i) && int(n.Left) < len(e.Nodes) && int(n.Right) < len(e.Nodes)
		if n.Feature >= 0 && (int(n.Feature) >= features || !inside) {
			return fmt.Errorf("model: node %d is damaged; train it again", i)
		}
	}
	for _, r := range e.Roots {
		if r < 0 || int(r) >= len(e.Nodes) {
			return fmt.Errorf("model: a tree's root is damaged; train it again")
		}
	}
	return nil
}

// Tabulate predicts the latency of every action of the knobs' grid at every
// combination of the given loads (by service, ascending, requests/s), on all cores.
// Signals name, by service, what is predicted.
func (m *System) Tabulate(loads [][]float64, signals []string) (*Table, error) {
	return m.tabulate(loads, signals, (*Predictor).Latency)
}

// TabulateCarried is Tabulate for the carried load, in requests/s; NaN where it was
// never measured.
func (m *System) TabulateCarried(loads [][]float64) (*Table, error) {
	return m.tabulate(loads, make([]string, len(m.Services)), (*Predictor).Carried)
}

func (m *System) tabulate(loads [][]float64, signals []string, predict func(p *Predictor, out, settings, offered []float64)) (*Table, error) {
	grid, err := policy.Grid(m.Knobs)
	if err != nil {
		return nil, err
	}
	if len(loads) != len(m.Services) {
		return nil, fmt.Errorf("model: loads of %d services, want %d", len(loads), len(m.Services))
	}
	points := 1
	for _, l := range loads {
		points *= len(l)
	}
	n := len(m.Services)
	if points*len(grid)*n > maxTable {
		return nil, fmt.Errorf("model: %d loads x %d actions are too many for a table; use fewer levels or a policy that searches", points, len(grid))
	}
	t := &Table{Knobs: m.Knobs, Services: m.Services, Signals: signals, Loads: loads, Support: m.Offered, Values: make([]float32, points*len(grid)*n)}
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			p, out := m.Predictor(), make([]float64, n)
			settings, offered := make([]float64, len(m.Knobs)), make([]float64, n)
			for point := w; point < points; point += workers {
				rest := point
				for s := n - 1; s >= 0; s-- {
					offered[s] = loads[s][rest%len(loads[s])]
					rest /= len(loads[s])
				}
				for i, a := range grid {
					for k := range a {
						settings[k] = a[k].Value
					}
					predict(p, out, settings, offered)
					for s, v := range out {
						t.Values[(point*len(grid)+i)*n+s] = float32(v)
					}
				}
			}
		})
	}
	group.Wait()
	return t, nil
}

// TabulateOne predicts one action, on the knobs' grid or off it, at every combination
// of the given loads. The tables have a single action: latency (seconds) and carried
// load (requests/s, NaN where it was never measured).
func (m *System) TabulateOne(loads [][]float64, settings []float64) (latency, carried *Table) {
	p, n := m.Predictor(), len(m.Services)
	latency = &Table{Services: m.Services, Loads: loads, Support: m.Offered}
	carried = &Table{Services: m.Services, Loads: loads, Support: m.Offered}
	l, c := make([]float64, n), make([]float64, n)
	EachLoad(loads, func(offered []float64) {
		p.Latency(l, settings, offered)
		p.Carried(c, settings, offered)
		for s := range l {
			latency.Values = append(latency.Values, float32(l[s]))
			carried.Values = append(carried.Values, float32(c[s]))
		}
	})
	return latency, carried
}

// maxTable bounds the values of a table: 256 MiB.
const maxTable = 1 << 26
