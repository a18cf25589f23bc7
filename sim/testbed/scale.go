package testbed

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// scaleOf returns the autoscaling/v1 Scale of a Deployment.
func scaleOf(d object) object {
	meta := map[string]any{}
	for _, field := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp"} {
		meta[field] = metadata(d)[field]
	}
	spec, _ := d["spec"].(map[string]any)
	status, _ := d["status"].(map[string]any)
	name, _ := meta["name"].(string)
	return object{
		"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta,
		"spec":   map[string]any{"replicas": spec["replicas"]},
		"status": map[string]any{"replicas": status["replicas"], "selector": "app=" + name},
	}
}

func (t *Testbed) getScale(q *http.Request) (any, error) {
	d, err := t.get(deployments, q)
	if err != nil {
		return nil, err
	}
	return scaleOf(d), nil
}

func (t *Testbed) putScale(q *http.Request) (any, error) {
	d, err := t.get(deployments, q)
	if err != nil {
		return nil, err
	}
	body, err := readBody(q)
	if err != nil {
		return nil, err
	}
	scale, err := decodeObject(body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return t.writeScale(q, d, scale)
}

func (t *Testbed) patchScale(q *http.Request) (any, error) {
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
func (t *Testbed) writeScale(q *http.Request, d, scale object) (any, error) {
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
