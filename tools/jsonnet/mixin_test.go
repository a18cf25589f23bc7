package jsonnet

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-jsonnet"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy/"

// The mixin is the committed files, under the names that its users expect.
func TestMixin(t *testing.T) {
	for expr, file := range map[string]string{
		"(import 'mixin.libsonnet').prometheusAlerts":                                        "prometheus/windvane.rules.yml",
		"(import 'mixin.libsonnet').prometheusRules":                                         "prometheus/istio.rules.yml",
		"((import 'mixin.libsonnet') + { _config+:: { plainEnvoy: true } }).prometheusRules": "prometheus/envoy.rules.yml",
		"(import 'mixin.libsonnet').grafanaDashboards['windvane-mesh.json']":                 "grafana/windvane-mesh.json",
		"(import 'mixin.libsonnet').grafanaDashboards['windvane-daemon.json']":               "grafana/windvane-daemon.json",
	} {
		vm := jsonnet.MakeVM()
		vm.Importer(&jsonnet.FileImporter{JPaths: []string{deploy + "mixin"}})
		got, err := vm.EvaluateAnonymousSnippet("test", expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		want, err := os.ReadFile(deploy + file)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(value(t, want), value(t, []byte(got))) {
			t.Errorf("%s is not what %s has", expr, file)
		}
	}
	boards, err := os.ReadDir(deploy + "grafana")
	if err != nil || len(boards) != 3 {
		t.Errorf("deploy/grafana has %d files (%v): name a new dashboard in the mixin", len(boards), err)
	}
}

// value is what YAML or JSON says.
func value(t *testing.T, text []byte) (out any) {
	t.Helper()
	b, err := yaml.YAMLToJSON(text)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil || out == nil {
		t.Fatalf("%v", err)
	}
	return out
}
