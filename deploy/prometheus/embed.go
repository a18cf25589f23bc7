// Package prometheus holds what windvane ships for Prometheus: recording rules
// that turn the metrics of a mesh into the signals that a rules file asks for.
// Files and their embedding only; no code.
package prometheus

import _ "embed"

// IstioRules is istio.rules.yml, a Prometheus rule file over Istio's standard metrics.
//
//go:embed istio.rules.yml
var IstioRules []byte
