package istio

import (
	"encoding/json"
	"fmt"
	"slices"
)

// BaselineAnnotation holds what windvane found before its first write, as a Baseline.
const BaselineAnnotation = "windvane.io/baseline"

// Baseline is what a VirtualService's fields were before windvane wrote any of them.
type Baseline struct {
	Generation int64           `json:"generation"` // the object's, when the baseline was taken
	Routes     []BaselineRoute `json:"routes"`
}

// BaselineRoute is one route of a Baseline.
type BaselineRoute struct {
	Name    string           `json:"name"`
	Weights []BaselineWeight `json:"weights"`
	Abort   json.RawMessage  `json:"abort"` // fault.abort as found; null: there was none

	EmptyFault bool `json:"empty_fault,omitempty"` // there was a fault without members
}

// BaselineWeight is one destination's weight in a Baseline.
type BaselineWeight struct {
	Destination string `json:"destination"`
	Weight      *int64 `json:"weight"` // null: it was not set
}

// ParseBaseline reads the annotation's value.
func ParseBaseline(s string) (Baseline, error) {
	var b Baseline
	if err := json.Unmarshal([]byte(s), &b); err != nil {
		return Baseline{}, fmt.Errorf("annotation %s cannot be read; put its value right from the journal, or remove it "+
			"to take what is there now for the baseline: %w", BaselineAnnotation, err)
	}
	return b, nil
}

func (b Baseline) find(route string) (BaselineRoute, bool) {
	i := slices.IndexFunc(b.Routes, func(r BaselineRoute) bool { return r.Name == route })
	if i < 0 {
		return BaselineRoute{}, false
	}
	return b.Routes[i], true
}

// hadAbort reports whether the route refused requests before windvane came.
func (r BaselineRoute) hadAbort() bool { return len(r.Abort) > 0 && string(r.Abort) != "null" }

// kept returns the baseline that was recorded of the object: the known one, else the
// annotation's; false if there is none yet.
func kept(v view, known json.RawMessage) (Baseline, bool, error) {
	if known != nil {
		var b Baseline
		if err := json.Unmarshal(known, &b); err != nil {
			return Baseline{}, false, fmt.Errorf("the baseline in the journal cannot be read: %w", err)
		}
		return b, true, nil
	}
	s, ok := v.Metadata.Annotations[BaselineAnnotation]
	if !ok {
		return Baseline{}, false, nil
	}
	b, err := ParseBaseline(s)
	return b, err == nil, err
}

// baselineOf returns the object's baseline, extended by the routes that it does not
// have yet as they are now. What it has is never changed.
func baselineOf(v view, routes []found, known json.RawMessage) (Baseline, error) {
	b, ok, err := kept(v, known)
	if err != nil {
		return Baseline{}, err
	}
	if !ok {
		b.Generation = v.Metadata.Generation
	}
	for _, f := range routes {
		if _, ok := b.find(f.Name); ok {
			continue
		}
		r := BaselineRoute{Name: f.Name, Abort: json.RawMessage("null"), EmptyFault: f.Fault != nil && len(f.Fault) == 0}
		for _, d := range f.Route {
			name, _ := d.name()
			r.Weights = append(r.Weights, BaselineWeight{Destination: name, Weight: d.Weight})
		}
		if raw, ok := f.Fault["abort"]; ok {
			r.Abort = raw
		}
		b.Routes = append(b.Routes, r)
	}
	return b, nil
}
