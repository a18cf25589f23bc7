package istio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// whole returns the object as it is to be applied: its routes with the patch made, and of its
// metadata what says which object and version is meant, and the baseline. The rest of the
// spec, labels and annotations stay those of the others, who may take them away again.
func (v view) whole(name kubeapi.Name, patch []byte) ([]byte, error) {
	if len(v.Spec.Hosts)+len(v.Spec.Gateways) > 0 {
		return nil, fmt.Errorf("it has hosts or gateways (%s), so that it is no delegate, and is not to be owned whole; "+
			"move the routes into a VirtualService without them, delegate to it, or set ownership = \"shared\"",
			strings.Join(append(v.Spec.Hosts, v.Spec.Gateways...), " "))
	}
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	after, err := ops.Apply(v.raw)
	if err != nil {
		return nil, err
	}
	var o struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Metadata   kubeapi.Metadata `json:"metadata"`
		Spec       struct {
			HTTP json.RawMessage `json:"http"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(after, &o); err != nil {
		return nil, err
	}
	if o.APIVersion == "" || o.Spec.HTTP == nil {
		return nil, errors.New("the API server's answer has no apiVersion or no spec.http")
	}
	meta := map[string]any{"name": name.Name, "namespace": name.Namespace, "resourceVersion": v.Metadata.ResourceVersion}
	if baseline, ok := o.Metadata.Annotations[BaselineAnnotation]; ok {
		meta["annotations"] = map[string]string{BaselineAnnotation: baseline}
	}
	return json.Marshal(map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "metadata": meta, "spec": o.Spec})
}
