package main

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// table has the settings for each of a grid of loads.
type table struct {
	Services []service       `json:"services"`
	Levels   int             `json:"levels"` // of the load of each service, evenly spaced
	Rows     []policy.Action `json:"rows"`   // the last service's load varies fastest
}

type service struct {
	Name string  `json:"name"`
	Min  float64 `json:"min"` // requests/s
	Max  float64 `json:"max"`
}

// newTable has as many levels as there may be rows for.
func newTable(of *policyv1.OpenResponse, levels int) *table {
	t := &table{Levels: levels}
	for _, s := range of.GetServices() {
		t.Services = append(t.Services, service{s.GetService(), s.GetMin(), s.GetMax()})
	}
	for t.Levels > 2 && t.size() > most {
		t.Levels--
	}
	return t
}

func (t *table) size() int {
	n := 1
	for range t.Services {
		n *= t.Levels
	}
	return n
}

// loads are those of each row, requests/s by service.
func (t *table) loads() [][]float64 {
	out := make([][]float64, t.size())
	for row := range out {
		out[row] = make([]float64, len(t.Services))
		left := row
		for i := len(t.Services) - 1; i >= 0; i-- {
			s := t.Services[i]
			out[row][i] = s.Min + (s.Max-s.Min)*float64(left%t.Levels)/float64(t.Levels-1)
			left /= t.Levels
		}
	}
	return out
}

// row is that of loads, each rounded up, so that no service has more than its row is for.
func (t *table) row(loads []float64) int {
	row := 0
	for i, s := range t.Services {
		share := 0.0
		if s.Max > s.Min {
			share = (loads[i] - s.Min) / (s.Max - s.Min)
		}
		row = row*t.Levels + t.level(math.Ceil(share*float64(t.Levels-1)-1e-6))
	}
	return row
}

// shown is the row of an observation, which has the loads first, the known range as 0 to 1.
func (t *table) shown(observation []float32) int {
	row := 0
	for i := range t.Services {
		row = row*t.Levels + t.level(math.Round(float64(observation[i])*float64(t.Levels-1)))
	}
	return row
}

func (t *table) level(v float64) int { return int(max(0, min(float64(t.Levels-1), v))) }

func decode(artefact []byte) (*table, error) {
	t := &table{}
	if err := json.Unmarshal(artefact, t); err != nil {
		return nil, fmt.Errorf("lookup: artefact: %w; train it again", err)
	}
	if t.Levels < 2 || len(t.Services) == 0 || len(t.Services) > 8 || t.size() != len(t.Rows) {
		return nil, fmt.Errorf("lookup: artefact: %d rows for %d levels of %d services; train it again", len(t.Rows), t.Levels, len(t.Services))
	}
	return t, nil
}
