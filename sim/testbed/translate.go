package testbed

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/emulator"
)

// RouteHeader is the request header by which the VirtualService's routes tell the services apart.
const RouteHeader = "x-windvane-service"

// blockStatus is what the emulator answers a blocked request with.
const blockStatus = 429

// virtualService is the part of a VirtualService that the emulator follows.
type virtualService struct {
	Spec struct {
		HTTP []httpRoute `json:"http"`
	} `json:"spec"`
}

type httpRoute struct {
	Name  string `json:"name"`
	Route []struct {
		Destination struct {
			Subset string `json:"subset"`
		} `json:"destination"`
		Weight int32 `json:"weight"`
	} `json:"route"`
	Fault struct {
		Abort *struct {
			Percentage struct {
				Value float64 `json:"value"`
			} `json:"percentage"`
			HTTPStatus int `json:"httpStatus"`
		} `json:"abort"`
	} `json:"fault"`
}

// deployment is the part of a Deployment that the emulator follows.
type deployment struct {
	Spec struct {
		Replicas *int32 `json:"replicas"`
	} `json:"spec"`
}

func virtualServiceSpec(mesh string, g emulator.Graph, s emulator.Settings) map[string]any {
	routes := []any{}
	for i, service := range g.Services {
		destinations := []any{}
		for j, percent := range policy.Percents(s.Weights[i]) {
			destinations = append(destinations, map[string]any{
				"destination": map[string]any{"host": service.Name, "subset": service.Destinations[j].Name},
				"weight":      percent,
			})
		}
		route := map[string]any{
			"name":    service.Name,
			"match":   []any{map[string]any{"headers": map[string]any{RouteHeader: map[string]any{"exact": service.Name}}}},
			"route":   destinations,
			"timeout": fmt.Sprintf("%gs", service.TimeoutSeconds),
		}
		if b := s.Blocking[i]; b > 0 {
			route["fault"] = map[string]any{"abort": map[string]any{"percentage": map[string]any{"value": math.Round(b*policy.BlockingSteps) / (policy.BlockingSteps / 100)}, "httpStatus": blockStatus}}
		}
		routes = append(routes, route)
	}
	return map[string]any{"hosts": []any{mesh}, "http": routes}
}

func deploymentSpec(name string, replicas int) map[string]any {
	labels := map[string]any{"app": name}
	return map[string]any{
		"replicas": replicas,
		"selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": name, "image": name}}},
		},
	}
}

func deploymentStatus(replicas int) map[string]any {
	return map[string]any{"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
}

// settings translates the objects into the emulator's settings. The error says
// which part of an object the emulator cannot follow.
func (o *objects) settings(g emulator.Graph) (emulator.Settings, error) {
	var s emulator.Settings
	for k, doc := range o.byKey {
		if doc["kind"] != virtualServices.Kind {
			continue
		}
		var vs virtualService
		if err := convert(doc, &vs); err != nil {
			return s, fmt.Errorf("%s: %w", k, err)
		}
		for _, service := range g.Services {
			weights, blocking, err := vs.service(service)
			if err != nil {
				return s, fmt.Errorf("%s: %w", k, err)
			}
			s.Weights, s.Blocking = append(s.Weights, weights), append(s.Blocking, blocking)
		}
	}
	for _, n := range g.Nodes {
		var d deployment
		if err := convert(o.byKey[key(deployments, Namespace, n.Name)], &d); err != nil {
			return s, fmt.Errorf("deployment %s: %w", n.Name, err)
		}
		replicas := 1 // the API server's default
		if d.Spec.Replicas != nil {
			replicas = int(*d.Spec.Replicas)
		}
		if replicas < 0 {
			return s, fmt.Errorf("deployment %s: spec.replicas is %d; must be greater than or equal to 0", n.Name, replicas)
		}
		s.Replicas = append(s.Replicas, replicas)
	}
	return s, nil
}

// service finds the route of a service by its name: the first one, as Istio's order of routes has it.
func (vs virtualService) service(s emulator.Service) (weights []float64, blocking float64, err error) {
	i := slices.IndexFunc(vs.Spec.HTTP, func(r httpRoute) bool { return r.Name == s.Name })
	if i < 0 {
		return nil, 0, fmt.Errorf("no route named %s in spec.http; the emulator has that service", s.Name)
	}
	route := vs.Spec.HTTP[i]
	weights = make([]float64, len(s.Destinations))
	sum := 0.0
	for _, r := range route.Route {
		j := slices.IndexFunc(s.Destinations, func(d emulator.Destination) bool { return d.Name == r.Destination.Subset })
		if j < 0 {
			return nil, 0, fmt.Errorf("route %s: the emulator has no destination with subset %q", s.Name, r.Destination.Subset)
		}
		if r.Weight < 0 {
			return nil, 0, fmt.Errorf("route %s: weight %d < 0", s.Name, r.Weight)
		}
		weights[j] += float64(r.Weight)
		sum += float64(r.Weight)
		if len(route.Route) == 1 {
			weights[j], sum = 1, 1 // a single destination takes everything, whatever its weight
		}
	}
	if sum <= 0 {
		return nil, 0, fmt.Errorf("route %s: total destination weight = 0", s.Name)
	}
	if a := route.Fault.Abort; a != nil {
		if a.HTTPStatus != blockStatus {
			return nil, 0, fmt.Errorf("route %s: fault.abort.httpStatus is %d; the emulator answers %d only", s.Name, a.HTTPStatus, blockStatus)
		}
		if !(a.Percentage.Value >= 0 && a.Percentage.Value <= 100) {
			return nil, 0, fmt.Errorf("route %s: fault.abort.percentage %v must be in range 0..100", s.Name, a.Percentage.Value)
		}
		// istiod cuts percentages to parts per million.
		blocking = math.Trunc(a.Percentage.Value*10000) / 1e6
	}
	return weights, blocking, nil
}

func convert(doc object, into any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
