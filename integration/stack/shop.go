package stack

import (
	"context"
	_ "embed"
	"fmt"
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
	Ports   map[string]string // of the gateway, by service

	s *Stack
}

// Services are those of the shop.
var Services = []string{"information", "compute"}

// StartShop creates the objects of the mesh and starts its gateway. There are no nodes yet.
func (s *Stack) StartShop(ctx context.Context) (*Shop, error) {
	shop := &Shop{s: s, Ports: map[string]string{}}
	ports := []string{}
	for _, service := range Services {
		shop.Ports[service] = port(freeAddress())
		ports = append(ports, shop.Ports[service])
	}
	var yaml strings.Builder
	if err := shopTemplate.Execute(&yaml, shop.Ports); err != nil {
		return nil, err
	}
	err := s.Apply(ctx, yaml.String())
	if err != nil {
		return nil, err
	}
	shop.Gateway, err = s.StartGateway(ctx, "shop", ports...)
	return shop, err
}

// URL is where a service is asked.
func (m *Shop) URL(service string) string {
	return "http://127.0.0.1:" + m.Ports[service] + "/" + service
}

// AddNode registers a node that listens at a port of loopback.
func (m *Shop) AddNode(ctx context.Context, name, version, port string) error {
	return m.s.Apply(ctx, fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: %s, namespace: default}
spec:
  address: 127.0.0.1
  ports: {http: %s}
  labels: {app: node, version: %s}
`, name, port, version))
}
