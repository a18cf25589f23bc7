package testbed

import (
	"encoding/json"
	"maps"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// scaleOf returns the autoscaling/v1 Scale of a Deployment. By the API's convention a
// scale of 0 has no spec.replicas.
func scaleOf(d object) object {
	meta := map[string]any{}
	for _, field := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp"} {
		meta[field] = metadata(d)[field]
	}
	spec, _ := d["spec"].(map[string]any)
	status, _ := d["status"].(map[string]any)
	name, _ := meta["name"].(string)
	wanted := map[string]any{}
	if n := spec["replicas"]; n != json.Number("0") {
		wanted["replicas"] = n
	}
	return object{
		"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta,
		"spec":   wanted,
		"status": map[string]any{"replicas": status["replicas"], "selector": "app=" + name},
	}
}

func (t *Testbed) getScale(q *request) (any, error) {
	d, err := t.get(deployments, q)
	if err != nil {
		return nil, err
	}
	return scaleOf(d), nil
}

func (t *Testbed) putScale(q *request) (any, error) {
	d, err := t.get(deployments, q)
	if err != nil {
		return nil, err
	}
	scale, err := decodeObject(q.body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return t.writeScale(q, d, scale)
}

func (t *Testbed) patchScale(q *request) (any, error) {
	d, err := t.get(deployments, q)
	if err != nil {
		return nil, err
	}
	scale, err := patched(q, scaleOf(d), jsonPatchType, mergePatchType)
	if err != nil {
		return nil, err
	}
	return t.writeScale(q, d, scale)
}

// writeScale carries the replicas of a Scale over into its Deployment. Replicas
// run at once as far as the object goes; the emulator's settle time follows.
func (t *Testbed) writeScale(q *request, d, scale object) (any, error) {
	var view struct {
		Metadata struct {
			Name            string `json:"name"`
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Spec struct {
			Replicas int32 `json:"replicas"` // absent means 0, as in the API
		} `json:"spec"`
	}
	if err := convert(scale, &view); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if view.Metadata.Name != q.PathValue("name") {
		return nil, apierrors.NewBadRequest("the name of the object does not match the name on the URL")
	}
	if n := view.Spec.Replicas; n < 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: "autoscaling", Kind: "Scale"}, view.Metadata.Name,
			field.ErrorList{field.Invalid(field.NewPath("spec", "replicas"), n, "must be greater than or equal to 0")})
	}
	replicas := json.Number(strconv.Itoa(int(view.Spec.Replicas)))
	changed := maps.Clone(d)
	changed["metadata"] = maps.Clone(metadata(d))
	metadata(changed)["resourceVersion"] = view.Metadata.ResourceVersion
	spec, _ := d["spec"].(map[string]any)
	spec = maps.Clone(spec)
	spec["replicas"] = replicas
	changed["spec"] = spec
	status, _ := d["status"].(map[string]any)
	status = maps.Clone(status)
	for name := range status {
		status[name] = replicas
	}
	changed["status"] = status
	written, err := t.write(deployments, q, d, changed)
	if err != nil {
		return nil, err
	}
	return scaleOf(written), nil
}
