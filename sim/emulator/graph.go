package emulator

import (
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/sim/load"
)

// Graph is a mesh: nodes, and the services whose requests visit them.
type Graph struct {
	Nodes    []Node
	Services []Service
	Faults   []Fault

	// BucketBounds are bounds in milliseconds that the latency histogram has
	// beside Istio's own, for objectives whose bound lies between two of those.
	BucketBounds []float64
}

// Node is a workload: one queue in front of Concurrency x Replicas servers.
type Node struct {
	Name        string
	Concurrency int // servers of one replica
	Replicas    int // at the start; with 0 nothing is served until there are some
	Work        Dist
}

// Service is a class of requests with its own load and its own routes.
type Service struct {
	Name           string
	Load           load.Process
	TimeoutSeconds float64 // since arrival
	BoundSeconds   float64 // answers slower than this count as Totals.Slow; 0: none do
	Destinations   []Destination
}

// Destination is one of the versions that a service's requests are split over.
type Destination struct {
	Name string // the subset, e.g. "v1"
	Path []Visit
}

// Visit is a stop of a path: a node by name, and how many times the node's
// usual work this service brings there.
type Visit struct {
	Node string
	Work float64
}

// Fault scales the servers of a node by Factor from From until To, in seconds
// (To may be infinite). At least one server stays; requests being served finish.
// Faults that overlap multiply.
type Fault struct {
	Node             string
	From, To, Factor float64
}

// Shape is a family of distributions of work.
type Shape string

// The shapes of work.
const (
	Exponential   Shape = "exponential"
	Lognormal     Shape = "lognormal"
	Deterministic Shape = "deterministic"
)

// Dist is the work that a visit brings, in seconds of one server.
type Dist struct {
	Shape       Shape
	MeanSeconds float64
	CV          float64 // coefficient of variation, lognormal only; the others have 1 and 0
}

func (d Dist) validate() error {
	if !finite(d.MeanSeconds) || d.MeanSeconds <= 0 {
		return fmt.Errorf("mean work of %v seconds; want a positive number", d.MeanSeconds)
	}
	switch d.Shape {
	case Exponential, Deterministic:
		if d.CV != 0 {
			return fmt.Errorf("%s work takes no coefficient of variation, got %v", d.Shape, d.CV)
		}
	case Lognormal:
		if !finite(d.CV) || d.CV <= 0 {
			return fmt.Errorf("lognormal work with a coefficient of variation of %v; want a positive number", d.CV)
		}
	default:
		return fmt.Errorf("work of shape %q; want %s, %s or %s", d.Shape, Exponential, Lognormal, Deterministic)
	}
	return nil
}

// Validate returns all that is wrong with the graph, joined.
func (g Graph) Validate() error {
	var errs []error
	nodes := map[string]bool{}
	for _, n := range g.Nodes {
		errs = append(errs, n.validate(nodes))
		nodes[n.Name] = true
	}
	names := map[string]bool{}
	for _, s := range g.Services {
		errs = append(errs, s.validate(names, nodes))
		names[s.Name] = true
	}
	for i, f := range g.Faults {
		switch {
		case !nodes[f.Node]:
			errs = append(errs, fmt.Errorf("fault %d: there is no node %q", i, f.Node))
		case !finite(f.From) || f.From < 0 || !(f.To > f.From):
			errs = append(errs, fmt.Errorf("fault %d of node %s: from %v to %v seconds; want 0 <= from < to", i, f.Node, f.From, f.To))
		case !finite(f.Factor) || f.Factor < 0:
			errs = append(errs, fmt.Errorf("fault %d of node %s: factor %v; want a number of 0 or more", i, f.Node, f.Factor))
		}
	}
	for _, b := range g.BucketBounds {
		if !finite(b) || b <= 0 {
			errs = append(errs, fmt.Errorf("bucket bound of %v ms; want a positive number", b))
		}
	}
	if len(g.Services) == 0 {
		errs = append(errs, errors.New("no services; want at least one"))
	}
	return errors.Join(errs...)
}

func (n Node) validate(seen map[string]bool) error {
	switch {
	case n.Name == "" || seen[n.Name]:
		return fmt.Errorf("node %q: names must be there and differ", n.Name)
	case n.Concurrency < 1 || n.Replicas < 0:
		return fmt.Errorf("node %s: %d servers x %d replicas; want at least 1 and 0", n.Name, n.Concurrency, n.Replicas)
	}
	if err := n.Work.validate(); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return nil
}

func (s Service) validate(seen, nodes map[string]bool) error {
	switch {
	case s.Name == "" || seen[s.Name]:
		return fmt.Errorf("service %q: names must be there and differ", s.Name)
	case s.Load == nil || !finite(s.Load.Max()) || s.Load.Max() < 0:
		return fmt.Errorf("service %s: needs a load with a finite greatest rate", s.Name)
	case !finite(s.TimeoutSeconds) || s.TimeoutSeconds <= 0:
		return fmt.Errorf("service %s: timeout of %v seconds; want a positive number", s.Name, s.TimeoutSeconds)
	case !finite(s.BoundSeconds) || s.BoundSeconds < 0:
		return fmt.Errorf("service %s: bound of %v seconds; want a number of 0 or more", s.Name, s.BoundSeconds)
	case len(s.Destinations) == 0:
		return fmt.Errorf("service %s: no destinations; want at least one", s.Name)
	}
	names := map[string]bool{}
	for _, d := range s.Destinations {
		if d.Name == "" || names[d.Name] {
			return fmt.Errorf("service %s: destination %q: names must be there and differ", s.Name, d.Name)
		}
		names[d.Name] = true
		if len(d.Path) == 0 {
			return fmt.Errorf("service %s: destination %s visits no node", s.Name, d.Name)
		}
		for _, v := range d.Path {
			if !nodes[v.Node] {
				return fmt.Errorf("service %s: destination %s visits node %q, which does not exist", s.Name, d.Name, v.Node)
			}
			if !finite(v.Work) || v.Work <= 0 {
				return fmt.Errorf("service %s: destination %s brings %v times the work to node %s; want a positive number", s.Name, d.Name, v.Work, v.Node)
			}
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
