package testbed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/windvane/windvane/sim/emulator"
)

// The resources that the testbed serves.
var (
	virtualServices = resource{Group: "networking.istio.io", Version: "v1", Plural: "virtualservices", Kind: "VirtualService"}
	deployments     = resource{Group: "apps", Version: "v1", Plural: "deployments", Kind: "Deployment"}
)

// resource is a kind of objects and where it is found.
type resource struct{ Group, Version, Plural, Kind string }

func (r resource) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Plural}
}

func (r resource) apiVersion() string { return r.Group + "/" + r.Version }

// object is any JSON, numbers as they were written. It is never changed once it is stored.
type object map[string]any

// objects are the Kubernetes objects of a mesh.
type objects struct {
	version int64 // of the last change: the resourceVersion of lists
	byKey   map[string]object
}

func key(r resource, namespace, name string) string { return r.Plural + "/" + namespace + "/" + name }

// newObjects makes the VirtualService and the Deployments that stand for the settings.
func newObjects(mesh string, g emulator.Graph, s emulator.Settings, created time.Time) (*objects, error) {
	o := &objects{version: 1000, byKey: map[string]object{}}
	names := []string{mesh}
	if err := o.add(virtualServices, mesh, created, virtualServiceSpec(mesh, g, s), nil); err != nil {
		return nil, err
	}
	for i, n := range g.Nodes {
		names = append(names, n.Name)
		if err := o.add(deployments, n.Name, created, deploymentSpec(n.Name, s.Replicas[i]), deploymentStatus(s.Replicas[i])); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			return nil, fmt.Errorf("%q cannot be the name of a Kubernetes object: %s", name, problems[0])
		}
	}
	return o, nil
}

func (o *objects) add(r resource, name string, created time.Time, spec, status map[string]any) error {
	o.version++
	doc := map[string]any{
		"apiVersion": r.apiVersion(),
		"kind":       r.Kind,
		"metadata": map[string]any{
			"name": name, "namespace": Namespace, "uid": fmt.Sprintf("00000000-0000-4000-8000-%012d", o.version),
			"resourceVersion": strconv.FormatInt(o.version, 10), "generation": 1,
			"creationTimestamp": created.UTC().Format(time.RFC3339),
		},
		"spec": spec,
	}
	if status != nil {
		doc["status"] = status
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	decoded, err := decodeObject(b)
	if err != nil {
		return err
	}
	o.byKey[key(r, Namespace, name)] = decoded
	return nil
}

// list returns the objects of a resource sorted by name; an empty namespace means all.
func (o *objects) list(r resource, namespace string) []object {
	prefix := r.Plural + "/"
	if namespace != "" {
		prefix += namespace + "/"
	}
	var keys []string
	for k := range o.byKey {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := []object{}
	for _, k := range keys {
		out = append(out, o.byKey[k])
	}
	return out
}

// update checks a changed object against the stored one, as the API server does,
// and returns what to store: with the next resourceVersion, and with the next
// generation where more than the metadata differs. Without a change it is the
// stored object.
func (o *objects) update(r resource, stored, changed object) (object, error) {
	old, meta := metadata(stored), metadata(changed)
	name, _ := old["name"].(string)
	if v := meta["resourceVersion"]; v != nil && v != "" && v != old["resourceVersion"] {
		return nil, apierrors.NewConflict(r.groupResource(), name,
			errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	for _, field := range []string{"name", "namespace", "uid"} {
		if v := meta[field]; v != nil && v != old[field] {
			return nil, apierrors.NewInvalid(schema.GroupKind{Group: r.Group, Kind: r.Kind}, name, immutable(field, v))
		}
	}
	for _, field := range []string{"apiVersion", "kind"} {
		if changed[field] != stored[field] {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("%s of the object is %v, want %v", field, changed[field], stored[field]))
		}
	}
	// What the server owns cannot be changed from outside.
	for _, field := range []string{"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"} {
		meta[field] = old[field]
	}
	changed["metadata"] = meta
	if reflect.DeepEqual(stored, changed) {
		return stored, nil
	}
	meta["resourceVersion"] = strconv.FormatInt(o.version+1, 10)
	if !reflect.DeepEqual(stored["spec"], changed["spec"]) {
		generation, err := strconv.ParseInt(fmt.Sprint(old["generation"]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("generation of %s: %w", name, err)
		}
		meta["generation"] = json.Number(strconv.FormatInt(generation+1, 10))
	}
	return changed, nil
}

// with returns a copy of the objects in which one is replaced.
func (o *objects) with(k string, changed object) *objects {
	next := &objects{version: o.version + 1, byKey: maps.Clone(o.byKey)}
	next.byKey[k] = changed
	return next
}

// metadata returns the object's metadata; one that has none gets an empty map.
func metadata(o object) map[string]any {
	m, _ := o["metadata"].(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

// decodeObject keeps numbers as they are written, so that nothing is lost on the way.
func decodeObject(b []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	return o, nil
}
