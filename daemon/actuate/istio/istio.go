package istio

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

// Route is one route of a VirtualService whose weights are set.
type Route struct {
	Service        string   // whose requests it carries
	VirtualService string   // namespace/name
	HTTP           string   // the route's name in spec.http
	Destinations   []string // all of them, by subset, or by host where there is no subset; at least 2
	Owned          bool     // the VirtualService is a delegate of windvane's own; the same for all of its routes
}

// target is the target of the route's weight knobs.
func (r Route) target() string { return r.VirtualService + "/" + r.HTTP }

// Blocking is a service whose requests may be refused, on all of its routes alike.
type Blocking struct {
	Service string
	Status  int // HTTP status of the refusal, 200 to 599
}

// Options are what an Actuator is made of.
type Options struct {
	Client   Client
	Routes   []Route
	Blocking []Blocking
}

// Actuator reads and writes the weights and the blocking of one mesh.
type Actuator struct {
	client  Client
	objects []object // sorted by name
	owned   map[policy.KnobID]bool
}

// object is a VirtualService with the routes in it.
type object struct {
	name   kubeapi.Name
	owned  bool    // written whole
	routes []route // in the order of Options.Routes
}

type route struct {
	Route
	status int // of blocking; 0: not ours to set
}

func (r route) blockingID() policy.KnobID {
	return policy.KnobID{Kind: policy.Blocking, Target: r.Service}
}

func (r route) weightID(destination string) policy.KnobID {
	return policy.KnobID{Kind: policy.Weight, Target: r.target(), Part: destination}
}

// New checks the options. What it refuses is a mistake in the wiring: a rules file
// that passed its checks leads to none.
func New(o Options) (*Actuator, error) {
	if o.Client == nil {
		return nil, errors.New("istio: no client")
	}
	a := &Actuator{client: o.Client, owned: map[policy.KnobID]bool{}}
	status := map[string]int{}
	for _, b := range o.Blocking {
		switch {
		case b.Status < 200 || b.Status > 599:
			return nil, fmt.Errorf("istio: blocking of %q with status %d: want 200 to 599", b.Service, b.Status)
		case status[b.Service] != 0:
			return nil, fmt.Errorf("istio: blocking of %q is there twice", b.Service)
		}
		status[b.Service] = b.Status
	}
	for _, r := range o.Routes {
		if err := a.add(route{Route: r, status: status[r.Service]}); err != nil {
			return nil, fmt.Errorf("istio: route %q of %s: %w", r.HTTP, r.VirtualService, err)
		}
	}
	for _, b := range o.Blocking {
		if !a.owned[policy.KnobID{Kind: policy.Blocking, Target: b.Service}] {
			return nil, fmt.Errorf("istio: blocking of %q: the service has no route", b.Service)
		}
	}
	slices.SortFunc(a.objects, func(x, y object) int { return strings.Compare(x.name.String(), y.name.String()) })
	return a, nil
}

func (a *Actuator) add(r route) error {
	name, err := kubeapi.ParseName(r.VirtualService)
	switch {
	case err != nil:
		return err
	case r.HTTP == "" || r.Service == "":
		return errors.New("the name of the route or of the service is empty")
	case len(r.Destinations) < 2:
		return errors.New("weights need at least 2 destinations")
	}
	for _, d := range r.Destinations {
		id := r.weightID(d)
		if d == "" || a.owned[id] {
			return fmt.Errorf("destination %q is empty or there twice", d)
		}
		a.owned[id] = true
	}
	if r.status != 0 {
		a.owned[r.blockingID()] = true
	}
	i := slices.IndexFunc(a.objects, func(o object) bool { return o.name == name })
	if i < 0 {
		i = len(a.objects)
		a.objects = append(a.objects, object{name: name, owned: r.Owned})
	}
	if slices.ContainsFunc(a.objects[i].routes, func(x route) bool { return x.HTTP == r.HTTP }) {
		return errors.New("the route is there twice")
	}
	if a.objects[i].owned != r.Owned {
		return errors.New("a VirtualService is owned whole or not at all; give all of its routes the same ownership")
	}
	a.objects[i].routes = append(a.objects[i].routes, r)
	return nil
}

// Owns reports whether the knob is one of this actuator's.
func (a *Actuator) Owns(id policy.KnobID) bool { return a.owned[id] }
