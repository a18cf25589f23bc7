// The monitoring mixin of windvane: the files of deploy/prometheus and deploy/grafana, for those
// who build their monitoring with jsonnet. Nothing is generated here.
local parsed(yaml) = std.parseYaml(yaml).groups;

{
  prometheusAlerts+:: { groups+: parsed(importstr '../prometheus/windvane.rules.yml') },

  // Of a mesh: Istio's metrics by default; plainEnvoy for Envoys without istio-proxy.
  _config+:: { plainEnvoy: false },
  prometheusRules+:: {
    groups+: parsed(if $._config.plainEnvoy then importstr '../prometheus/envoy.rules.yml' else importstr '../prometheus/istio.rules.yml'),
  },

  grafanaDashboards+:: {
    'windvane-mesh.json': import '../grafana/windvane-mesh.json',
    'windvane-daemon.json': import '../grafana/windvane-daemon.json',
  },
}
