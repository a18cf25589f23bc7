package stack

import (
	"context"
	_ "embed"
	"strings"
	"text/template"
)

//go:embed shop.yaml.tmpl
var shopText string

var shopTemplate = template.Must(template.New("shop.yaml").Parse(shopText))

// Shop is the mesh of the seed's paper: two services on two versions of a node, with the
// routes of both in one VirtualService, and a gateway with a port for each service.
type Shop struct {
	Gateway *Gateway
	Kubelet *Kubelet
	Ports   map[string]string // of the gateway, by service
}

// Services are those of the shop.
var Services = []string{"information", "compute"}

// Versions are those of its node, each a Deployment node-VERSION.
var Versions = []string{"v1", "v2"}

// Nodes are what the nodes can do.
type Nodes struct {
	Workers  map[string]int // by version: requests that one works on at once
	Services string         // what a request takes of a processor, and of waiting: NAME=CPU,WAIT;…
}

// SmallNodes are soon overloaded.
var SmallNodes = Nodes{Workers: map[string]int{"v1": 2, "v2": 2}, Services: "information=500us,5ms;compute=1ms,15ms"}

// StartShop creates the objects of the mesh, runs its nodes by the program (integration/node)
// and starts its gateway.
func (s *Stack) StartShop(ctx context.Context, node string, nodes Nodes) (*Shop, error) {
	shop := &Shop{Ports: map[string]string{}}
	ports := []string{}
	for _, service := range Services {
		shop.Ports[service] = port(freeAddress())
		ports = append(ports, shop.Ports[service])
	}
	var yaml strings.Builder
	if err := shopTemplate.Execute(&yaml, map[string]any{"Ports": shop.Ports, "Versions": Versions, "Nodes": nodes}); err != nil {
		return nil, err
	}
	err := s.Apply(ctx, yaml.String())
	if err != nil {
		return nil, err
	}
	shop.Kubelet = s.StartKubelet(node)
	for _, v := range Versions {
		if err := shop.Kubelet.Await(ctx, "node-"+v, 1); err != nil {
			return shop, err
		}
	}
	shop.Gateway, err = s.StartGateway(ctx, "shop", ports...)
	return shop, err
}

// URL is where a service is asked.
func (m *Shop) URL(service string) string {
	return "http://127.0.0.1:" + m.Ports[service] + "/" + service
}
