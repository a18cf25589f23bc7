package istio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// view is the part of a VirtualService that is read. It is never written back.
type view struct {
	Metadata kubeapi.Metadata `json:"metadata"`
	Spec     struct {
		Hosts    []string   `json:"hosts"`
		Gateways []string   `json:"gateways"`
		HTTP     []httpView `json:"http"`
	} `json:"spec"`

	raw []byte // all of it
}

type httpView struct {
	Name  string                     `json:"name"`
	Route []destinationView          `json:"route"`
	Fault map[string]json.RawMessage `json:"fault"` // nil: none
}

type destinationView struct {
	Destination struct {
		Host   string `json:"host"`
		Subset string `json:"subset"`
	} `json:"destination"`
	Weight *int64 `json:"weight"` // nil: not set, which Istio takes for 0
}

// name is what a rules file calls the destination, and the member that says so.
func (d destinationView) name() (name, member string) {
	if d.Destination.Subset != "" {
		return d.Destination.Subset, "subset"
	}
	return d.Destination.Host, "host"
}

func (d destinationView) weight() int64 {
	if d.Weight == nil {
		return 0
	}
	return *d.Weight
}

type abortView struct {
	Percentage *struct {
		Value float64 `json:"value"`
	} `json:"percentage"`
	HTTPStatus int `json:"httpStatus"`
}

// percent is the share of requests that is refused. Istio refuses none if there is no
// percentage.
func (a *abortView) percent() float64 {
	if a == nil || a.Percentage == nil {
		return 0
	}
	return a.Percentage.Value
}

// abort returns nil if the route refuses nothing.
func (h httpView) abort() (*abortView, error) {
	raw, ok := h.Fault["abort"]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	var a abortView
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("fault.abort: %w", err)
	}
	if p := a.percent(); p < 0 || p > 100 {
		return nil, fmt.Errorf("fault.abort: a percentage of %v; correct it to 0 to 100", p)
	}
	return &a, nil
}

func parseView(raw []byte) (view, error) {
	var v view
	if err := json.Unmarshal(raw, &v); err != nil {
		return view{}, fmt.Errorf("the API server's answer: %w", err)
	}
	if v.Metadata.ResourceVersion == "" {
		return view{}, errors.New("the API server's answer has no metadata.resourceVersion")
	}
	v.raw = raw
	return v, nil
}

// found is a configured route in its VirtualService.
type found struct {
	httpView
	index int // in spec.http
	total int64
	abort *abortView
}

// find looks a route up by its name, and checks that it is what was configured.
func (v view) find(r route) (found, error) {
	f := found{index: -1}
	var names []string
	unnamed := 0
	for i, h := range v.Spec.HTTP {
		switch {
		case h.Name == "":
			unnamed++
		case h.Name == r.HTTP && f.index >= 0:
			return found{}, fmt.Errorf("route %q: spec.http has two of this name; give them different names", r.HTTP)
		case h.Name == r.HTTP:
			f.httpView, f.index = h, i
		default:
			names = append(names, h.Name)
		}
	}
	if f.index < 0 {
		return found{}, fmt.Errorf("route %q: spec.http has none of this name (it has [%s] and %d without a name); "+
			"name the route there, or correct `http` in the rules file", r.HTTP, strings.Join(names, " "), unnamed)
	}
	if err := f.check(r); err != nil {
		return found{}, fmt.Errorf("route %q: %w", r.HTTP, err)
	}
	return f, nil
}

func (f *found) check(r route) error {
	if len(f.Route) < 2 {
		return fmt.Errorf("it has %d destinations; weights need at least 2: add one, with weight 0", len(f.Route))
	}
	var names []string
	for _, d := range f.Route {
		name, _ := d.name()
		if slices.Contains(names, name) {
			return fmt.Errorf("two destinations are called %q; give them different subsets", name)
		}
		if w := d.weight(); w < 0 || w > math.MaxInt32 {
			return fmt.Errorf("destination %q has a weight of %d; correct it to 0 to 100", name, w)
		}
		names = append(names, name)
		f.total += d.weight()
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(r.Destinations)); !slices.Equal(names, want) {
		return fmt.Errorf("its destinations are [%s], the rules file has [%s]; name all of them in `destinations`",
			strings.Join(names, " "), strings.Join(want, " "))
	}
	if f.total <= 0 {
		return errors.New("all of its weights are 0; set one, or put blocking in their place")
	}
	var err error
	f.abort, err = f.httpView.abort()
	return err
}
