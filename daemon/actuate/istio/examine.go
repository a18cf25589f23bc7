package istio

import (
	"context"
	"encoding/json"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Examined is what the API server has of one VirtualService.
type Examined struct {
	Object    string // as in "VirtualService default/front"
	Namespace string
	Name      string
	Raw       json.RawMessage // the whole object; nil with Err
	Err       error           // it cannot be read
	Owner     string          // who else sets spec.http; empty: nobody that can be seen in the object
	Owned     bool            // it is windvane's own
	Routes    []ExaminedRoute // of the rules file; none with Err
}

// ExaminedRoute is a route of the rules file in its VirtualService.
type ExaminedRoute struct {
	HTTP         string
	Service      string
	Status       int      // of blocking; 0: it is not blocked
	Err          error    // it cannot be set as it is
	Index        int      // in spec.http; without Err
	Destinations []string // in the order of the object; without Err
	Weights      []int64
}

// Examine reads the VirtualServices as Live does, and says of each what keeps windvane
// from setting it.
func (a *Actuator) Examine(ctx context.Context) []Examined {
	out := make([]Examined, len(a.objects))
	_ = kubeapi.Each(len(a.objects), func(i int) error { // errors are in the result
		out[i] = a.examine(ctx, a.objects[i])
		return nil
	})
	return out
}

func (a *Actuator) examine(ctx context.Context, o object) Examined {
	out := Examined{Object: Object(o.name), Namespace: o.name.Namespace, Name: o.name.Name, Owned: o.owned}
	v, err := a.read(ctx, o.name)
	if err != nil {
		out.Err = err
		return out
	}
	out.Raw, out.Owner = v.raw, v.Metadata.Owner("http")
	for _, r := range o.routes {
		e := ExaminedRoute{HTTP: r.HTTP, Service: r.Service, Status: r.status}
		f, err := v.find(r)
		if e.Err = err; err == nil {
			e.Index = f.index
			for _, d := range f.Route {
				name, _ := d.name()
				e.Destinations, e.Weights = append(e.Destinations, name), append(e.Weights, d.weight())
			}
		}
		out.Routes = append(out.Routes, e)
	}
	return out
}

// Permissions returns what the API server has to allow: to read, and where act says so
// to set.
func (a *Actuator) Permissions(act bool) []actuate.Permission {
	var out []actuate.Permission
	for _, o := range a.objects {
		p := actuate.Permission{Verb: "get", Group: "networking.istio.io", Resource: "virtualservices", Namespace: o.name.Namespace, Name: o.name.Name}
		if out = append(out, p); act {
			p.Verb = "patch"
			out = append(out, p)
		}
	}
	return out
}
