package istio

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

// DisagreementError says that the routes of a service refuse different shares of its
// requests, so that its blocking has no one value. Somebody else changed one of them,
// or an Apply reached only some; the next Apply that sets the service's blocking makes
// them agree.
type DisagreementError struct {
	Service string
	Routes  []string  // namespace/virtualservice/route
	Values  []float64 // of Routes, 0 to 1
}

// Error lists the routes with their values.
func (e *DisagreementError) Error() string {
	parts := make([]string, len(e.Routes))
	for i, r := range e.Routes {
		parts[i] = fmt.Sprintf("%s %v", r, e.Values[i])
	}
	return fmt.Sprintf("istio: the routes of %s block different shares (%s); give them the same fault.abort, or none",
		e.Service, strings.Join(parts, ", "))
}

// AuthorityAnnotation lowers what windvane may do with the mesh, while it is set.
const AuthorityAnnotation = "windvane.io/authority"

// blockingTolerance is less than the smallest difference that Istio can tell.
const blockingTolerance = 1e-7

// Live returns the settings in force: one for each knob of the actuator, sorted.
// Weights are divided by their sum. It is an error if one of them cannot be read. said are
// the values of AuthorityAnnotation, by Object, where it is set; the same reading has them.
func (a *Actuator) Live(ctx context.Context) (live policy.Action, said map[string]string, err error) {
	parts := make([]policy.Action, len(a.objects)) // blocking appears once for each route
	views := make([]view, len(a.objects))
	err = kubeapi.Each(len(a.objects), func(i int) (err error) {
		if views[i], err = a.read(ctx, a.objects[i].name); err != nil {
			return err
		}
		if parts[i], err = a.objects[i].live(views[i]); err != nil {
			return fmt.Errorf("istio: VirtualService %s: %w", a.objects[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if live, err = a.settings(parts); err != nil {
		return nil, nil, err
	}
	said = map[string]string{}
	for i, v := range views {
		if value, ok := v.Metadata.Annotations[AuthorityAnnotation]; ok {
			said[Object(a.objects[i].name)] = value
		}
	}
	return live, said, nil
}

// settings joins what the objects say.
func (a *Actuator) settings(parts []policy.Action) (policy.Action, error) {
	var out policy.Action
	shares := map[string]*DisagreementError{}
	var services []string
	for i, part := range parts {
		for _, s := range part {
			if s.Kind != policy.Blocking {
				out = append(out, s)
				continue
			}
			d := shares[s.Target]
			if d == nil {
				d = &DisagreementError{Service: s.Target}
				shares[s.Target] = d
				services = append(services, s.Target)
			}
			d.Routes = append(d.Routes, a.objects[i].name.String()+"/"+s.Part)
			d.Values = append(d.Values, s.Value)
		}
	}
	for _, service := range services {
		d := shares[service]
		for _, v := range d.Values {
			if math.Abs(v-d.Values[0]) > blockingTolerance {
				return nil, d
			}
		}
		out = append(out, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: service}, Value: d.Values[0]})
	}
	out.Sort()
	return out, nil
}

func (a *Actuator) read(ctx context.Context, name kubeapi.Name) (view, error) {
	raw, err := a.client.Get(ctx, name.Namespace, name.Name)
	if kubeapi.Code(err) == http.StatusNotFound {
		return view{}, fmt.Errorf("istio: VirtualService %s does not exist; create it, or correct `virtual_service` in the rules file: %w", name, err)
	}
	if err != nil {
		return view{}, fmt.Errorf("istio: read VirtualService %s: %w", name, err)
	}
	v, err := parseView(raw)
	if err != nil {
		return view{}, fmt.Errorf("istio: VirtualService %s: %w", name, err)
	}
	return v, nil
}

// live returns the weights, and for each route of a service with blocking its share,
// with the route's name as the part.
func (o object) live(v view) (policy.Action, error) {
	var out policy.Action
	for _, r := range o.routes {
		f, err := v.find(r)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Route {
			name, _ := d.name()
			out = append(out, policy.Setting{KnobID: r.weightID(name), Value: float64(d.weight()) / float64(f.total)})
		}
		if r.status != 0 {
			id := r.blockingID()
			id.Part = r.HTTP
			out = append(out, policy.Setting{KnobID: id, Value: f.abort.percent() / 100})
		}
	}
	return out, nil
}
