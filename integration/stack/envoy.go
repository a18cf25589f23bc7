package stack

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"text/template"
)

//go:embed envoy.yaml.tmpl
var bootstrapText string

var bootstrap = template.Must(template.New("envoy.yaml").Parse(bootstrapText))

// Gateway is an Envoy that istiod configures, at the edge of the mesh.
type Gateway struct {
	*Process

	Admin string // address of its statistics and of its configuration
}

// StartGateway starts an Envoy to which the Gateways with the selector gateway=NAME apply,
// and waits until it has listeners at the ports.
func (s *Stack) StartGateway(ctx context.Context, name string, ports ...string) (*Gateway, error) {
	g := &Gateway{Admin: freeAddress()}
	var text strings.Builder
	err := bootstrap.Execute(&text, map[string]string{
		"Name": name, "Istiod": port(s.istiod.grpc), "Admin": port(g.Admin),
	})
	if err != nil {
		return nil, err
	}
	file := s.path("envoy-" + name + ".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	g.Process, err = s.start("envoy", nil, "-c", file, "--concurrency", "1", "--log-level", "warning",
		"--disable-hot-restart", "--drain-time-s", "1")
	if err != nil {
		return nil, err
	}
	return g, g.await(ctx, func(ctx context.Context) error {
		listeners, err := g.Ask(ctx, "/listeners")
		if err != nil {
			return err
		}
		for _, p := range ports {
			if !strings.Contains(listeners, ":"+p+"\n") {
				return fmt.Errorf("no listener at port %s among %q", p, listeners)
			}
		}
		_, err = g.Ask(ctx, "/ready")
		return err
	})
}

// Ask returns what the administration interface answers to a GET, as of /stats/prometheus.
func (g *Gateway) Ask(ctx context.Context, path string) (string, error) {
	return get(ctx, "http://"+g.Admin+path)
}
