package model

import (
	"fmt"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// flow is one weight knob's share of a service's admitted load.
type flow struct {
	weight  int // position in the settings
	service int
	part    int // position among the destinations' names
}

// features turns settings and offered loads into what the trees see: the settings
// and loads themselves, the nominal admitted load of each service, the flow on each
// route (requests/s), and the flow to each destination name over all services. With
// the flows, one row speaks for every other way to load the same node.
type features struct {
	settings, services int
	blocking           []int // by service: its blocking's position, or -1
	flows              []flow
	parts              []string
}

// newFeatures is for knobs and services in their order.
func newFeatures(knobs []policy.Knob, services []string) (features, error) {
	f := features{settings: len(knobs), services: len(services), blocking: make([]int, len(services))}
	for i := range f.blocking {
		f.blocking[i] = -1
	}
	for i, k := range knobs {
		if k.Kind == policy.Replicas {
			continue
		}
		s := slices.Index(services, k.Service)
		if s < 0 {
			return f, fmt.Errorf("model: knob %s is of service %q, which is not among %v", k.KnobID, k.Service, services)
		}
		if k.Kind == policy.Blocking {
			f.blocking[s] = i
			continue
		}
		part := slices.Index(f.parts, k.Part)
		if part < 0 {
			part = len(f.parts)
			f.parts = append(f.parts, k.Part)
		}
		f.flows = append(f.flows, flow{weight: i, service: s, part: part})
	}
	return f, nil
}

// size is the number of features.
func (f *features) size() int {
	return f.settings + 2*f.services + len(f.flows) + len(f.parts)
}

// fill writes the features of one point into x, which has the right size.
func (f *features) fill(x, settings, offered []float64) {
	at := copy(x, settings)
	at += copy(x[at:], offered)
	admitted := x[at : at+f.services]
	for s := range admitted {
		admitted[s] = offered[s]
		if b := f.blocking[s]; b >= 0 {
			admitted[s] *= 1 - settings[b]
		}
	}
	at += f.services
	totals := x[at+len(f.flows):]
	clear(totals)
	for i, fl := range f.flows {
		v := admitted[fl.service] * settings[fl.weight]
		x[at+i] = v
		totals[fl.part] += v
	}
}

// design returns the features of the given rows of a dataset.
func (f *features) design(d *dataset.Dataset, rows []int) (*design, error) {
	n := f.size()
	x := make([]float64, n*len(rows))
	settings, offered := make([]float64, f.settings), make([]float64, f.services)
	for i, row := range rows {
		for k := range settings {
			settings[k] = d.Settings[k][row]
		}
		for s := range offered {
			offered[s] = d.Offered[s][row]
		}
		f.fill(x[i*n:(i+1)*n], settings, offered)
	}
	return newDesign(x, n)
}
