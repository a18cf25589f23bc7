package kubeapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Metadata is the part of an object's metadata that is read. It is never written back.
type Metadata struct {
	ResourceVersion string            `json:"resourceVersion"`
	Generation      int64             `json:"generation"`
	Annotations     map[string]string `json:"annotations"`
	Owners          []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
	Managed []struct {
		Manager string          `json:"manager"`
		Fields  json.RawMessage `json:"fieldsV1"`
	} `json:"managedFields"`
}

// controllers are the field managers of programs that go on setting what they have set.
var controllers = []string{"flagger", "rollouts-controller", "argo-rollouts", "keda-operator", "keda"}

// Owner says who else sets a field of the object, as "Canary podinfo" or "flagger";
// empty: nobody that can be seen. field is a name such as http or replicas.
func (m Metadata) Owner(field string) string {
	for _, o := range m.Owners {
		if o.Controller || o.Kind == "Canary" || o.Kind == "Rollout" {
			return o.Kind + " " + o.Name
		}
	}
	for _, f := range m.Managed {
		if slices.Contains(controllers, strings.ToLower(f.Manager)) && strings.Contains(string(f.Fields), `"f:`+field+`"`) {
			return f.Manager
		}
	}
	return ""
}

// OwnEntries are the paths of windvane's entries in metadata.managedFields, in the order in
// which one JSON Patch can remove them. None where nobody else has one: without any entry
// the API server takes all fields for those of an unknown manager.
func (m Metadata) OwnEntries() []string {
	var out []string
	for i, e := range slices.Backward(m.Managed) {
		if e.Manager == FieldManager {
			out = append(out, fmt.Sprintf("/metadata/managedFields/%d", i))
		}
	}
	if len(out) == len(m.Managed) {
		return nil
	}
	return out
}

// OwnedError says that somebody else sets the object.
type OwnedError struct {
	Object string // such as "VirtualService default/front"
	Owner  string
}

// Error says what to do.
func (e *OwnedError) Error() string {
	return fmt.Sprintf("%s is set by %s, and two must not set the same: take it out of the rules file, or that one away", e.Object, e.Owner)
}
