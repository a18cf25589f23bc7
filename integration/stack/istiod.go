package stack

import (
	"context"
	"fmt"
	"os"
)

// istiod is where istiod listens.
type istiod struct{ grpc, http, monitoring string }

// startIstiod teaches the API server Istio's types, and starts istiod.
//
// A stock Envoy has none of Istio's own filters, so metadata exchange, ALPN, mutual TLS
// and the telemetry filter are off: proxies are measured by their own statistics.
func (s *Stack) startIstiod(ctx context.Context) error {
	crds, err := os.ReadFile(s.programs + "/crds.yaml")
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, string(crds)); err != nil {
		return err
	}
	if err := s.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n"); err != nil {
		return err
	}
	if _, err := s.Kubectl(ctx, Admin, "", "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return err
	}
	config := "defaultConfig: {}\ndefaultProviders: {metrics: []}\nenableAutoMtls: false\n"
	if err := os.WriteFile(s.path("mesh.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	s.istiod = istiod{grpc: freeAddress(), http: freeAddress(), monitoring: freeAddress()}
	_, err = s.StartIstiod(ctx)
	return err
}

// StartIstiod starts istiod; again, after it was killed.
func (s *Stack) StartIstiod(ctx context.Context) (*Process, error) {
	kubeconfig, err := s.Kubeconfig(Admin)
	if err != nil {
		return nil, err
	}
	p, err := s.start("pilot-discovery", []string{
		"POD_NAMESPACE=istio-system", "PILOT_CERT_PROVIDER=none", "ENABLE_CA_SERVER=false",
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false",
		"VALIDATION_WEBHOOK_CONFIG_NAME=", "INJECTION_WEBHOOK_CONFIG_NAME=",
		"PILOT_DEBOUNCE_AFTER=10ms", // a mesh of this size is pushed at once
	}, "discovery", "--kubeconfig", kubeconfig, "--meshConfig", s.path("mesh.yaml"),
		"--grpcAddr", s.istiod.grpc, "--httpAddr", s.istiod.http, "--secureGRPCAddr", "", "--httpsAddr", "",
		"--monitoringAddr", s.istiod.monitoring)
	if err != nil {
		return nil, fmt.Errorf("istiod: %w", err)
	}
	return p, p.await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, "http://"+s.istiod.http+"/ready")
		return err
	})
}
