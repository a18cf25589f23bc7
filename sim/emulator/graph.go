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
	Pauses      Pauses
	Bursts      Bursts
}

// Pauses are times in which a node does nothing at all, as in a collection of garbage:
// what is being served waits, too. The time from the end of one to the next, and how
// long one lasts, are exponential. The zero value has none.
type Pauses struct {
	EverySeconds float64 // mean
	MeanSeconds  float64
}

// Bursts are times in which a node has Factor times its servers, as beside a noisy
// neighbour, with times as in Pauses. At least one server stays; requests being
// served finish. The zero value has none.
type Bursts struct {
	EverySeconds float64 // mean
	MeanSeconds  float64
	Factor       float64
}

// Service is a class of requests with its own load and its own routes.
type Service struct {
	Name           string
	Load           load.Process
	TimeoutSeconds float64 // since arrival
	BoundSeconds   float64 // answers slower than this count as Totals.Slow; 0: none do
	Destinations   []Destination
	Retries        Retries
}

// Retries say what callers do about a request that failed: they send another one,
// which is offered, refused and routed as any, with luck of its own. The wait before
// the n-th of them is BackoffSeconds times 2^(n-1), times a factor between .5 and 1.5
// by chance. The zero value is a caller that sends none.
type Retries struct {
	Attempts       int // at most, after the first request
	BackoffSeconds float64
	Refused        bool // after 429
	TimedOut       bool // after 504
}

// Destination is one of the versions that a service's requests are split over.
type Destination struct {
	Name string // the subset, e.g. "v1"
	Path []Visit
}

// Visit is a stop of a path: a node by name, and how many times the node's
// usual work this service brings there; or a Fork, several of those at the same time,
// which is over when the last of them is.
type Visit struct {
	Node string
	Work float64
	Fork []Visit // in place of Node and Work; without forks of their own
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
	for _, err := range []error{
		n.Work.validate(),
		recurring("pauses", n.Pauses.EverySeconds, n.Pauses.MeanSeconds),
		recurring("bursts", n.Bursts.EverySeconds, n.Bursts.MeanSeconds),
	} {
		if err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	if b := n.Bursts; !finite(b.Factor) || b.Factor < 0 || b.EverySeconds == 0 && b.Factor != 0 {
		return fmt.Errorf("node %s: bursts of %v times the servers every %v seconds; want a factor of 0 or more, and how often", n.Name, b.Factor, b.EverySeconds)
	}
	return nil
}

// recurring checks how often something happens and how long it lasts: never, or both.
func recurring(what string, every, mean float64) error {
	if every == 0 && mean == 0 {
		return nil
	}
	if !finite(every) || every <= 0 || !finite(mean) || mean <= 0 {
		return fmt.Errorf("%s of %v seconds every %v seconds; want two positive numbers", what, mean, every)
	}
	return nil
}

// mostAttempts bounds retries, and with them the factor of the last wait.
const mostAttempts = 10

func (r Retries) validate() error {
	switch {
	case r == Retries{}:
		return nil
	case r.Attempts < 1 || r.Attempts > mostAttempts:
		return fmt.Errorf("%d retries; want 1 to %d", r.Attempts, mostAttempts)
	case !finite(r.BackoffSeconds) || r.BackoffSeconds <= 0:
		return fmt.Errorf("retries after %v seconds; want a positive number", r.BackoffSeconds)
	case !r.Refused && !r.TimedOut:
		return errors.New("retries of nothing; want them after refusals, timeouts, or both")
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
	if err := s.Retries.validate(); err != nil {
		return fmt.Errorf("service %s: %w", s.Name, err)
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
			if err := v.validate(nodes); err != nil {
				return fmt.Errorf("service %s: destination %s %w", s.Name, d.Name, err)
			}
		}
	}
	return nil
}

func (v Visit) validate(nodes map[string]bool) error {
	if len(v.Fork) == 0 {
		switch {
		case !nodes[v.Node]:
			return fmt.Errorf("visits node %q, which does not exist", v.Node)
		case !finite(v.Work) || v.Work <= 0:
			return fmt.Errorf("brings %v times the work to node %s; want a positive number", v.Work, v.Node)
		}
		return nil
	}
	if v.Node != "" || v.Work != 0 {
		return fmt.Errorf("forks at node %q; want a node or a fork, not both", v.Node)
	}
	for _, branch := range v.Fork {
		if len(branch.Fork) > 0 {
			return errors.New("forks within a fork; want branches of one node each")
		}
		if err := branch.validate(nodes); err != nil {
			return err
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
