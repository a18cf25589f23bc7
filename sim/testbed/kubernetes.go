package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	jsonPatchType  = "application/json-patch+json"
	mergePatchType = "application/merge-patch+json"
)

func (t *Testbed) kubernetesHandler() http.Handler {
	mux := http.NewServeMux()
	for path, body := range discovery() {
		mux.HandleFunc("GET "+path, t.kubernetesAnswer(func(*request) (any, error) { return body, nil }))
	}
	for _, r := range []resource{virtualServices, deployments} {
		all := "/apis/" + r.apiVersion() + "/" + r.Plural
		in := "/apis/" + r.apiVersion() + "/namespaces/{namespace}/" + r.Plural
		mux.HandleFunc("GET "+all, t.kubernetesAnswer(func(q *request) (any, error) { return t.list(r, q) }))
		mux.HandleFunc("GET "+in, t.kubernetesAnswer(func(q *request) (any, error) { return t.list(r, q) }))
		mux.HandleFunc("GET "+in+"/{name}", t.kubernetesAnswer(func(q *request) (any, error) { return t.get(r, q) }))
		mux.HandleFunc("PATCH "+in+"/{name}", t.kubernetesAnswer(func(q *request) (any, error) { return t.patchObject(r, q) }))
	}
	scale := "/apis/" + deployments.apiVersion() + "/namespaces/{namespace}/" + deployments.Plural + "/{name}/scale"
	mux.HandleFunc("GET "+scale, t.kubernetesAnswer(t.getScale))
	mux.HandleFunc("PUT "+scale, t.kubernetesAnswer(t.putScale))
	mux.HandleFunc("PATCH "+scale, t.kubernetesAnswer(t.patchScale))
	mux.HandleFunc("POST "+accessReviews, t.kubernetesAnswer(t.reviewAccess))
	mux.HandleFunc("/", t.kubernetesAnswer(func(q *request) (any, error) {
		if q.Method != http.MethodGet {
			return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
				Status: metav1.StatusFailure, Code: http.StatusMethodNotAllowed, Reason: metav1.StatusReasonMethodNotAllowed,
				Message: fmt.Sprintf("the testbed does not serve %s %s", q.Method, q.URL.Path),
			}}
		}
		return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, "get", schema.GroupResource{}, "", q.URL.Path, 0, true)
	}))
	return mux
}

// request is a request whose body has been read.
type request struct {
	*http.Request
	body []byte
}

// kubernetesAnswer runs a handler and writes its answer, or its error as a Status
// object. The lock is held by the handler only, so that a slow client holds up nobody;
// what it answers is never changed afterwards.
func (t *Testbed) kubernetesAnswer(handle func(*request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := t.handle(w, r, handle)
		if err == nil {
			writeAnswer(w, answer)
			return
		}
		var status *apierrors.StatusError
		if !errors.As(err, &status) {
			status = apierrors.NewInternalError(err)
		}
		body := status.Status()
		body.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		writeJSON(w, int(body.Code), body)
	}
}

func (t *Testbed) handle(w http.ResponseWriter, r *http.Request, handle func(*request) (any, error)) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", tooLarge.Limit))
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(&request{r, body})
	if t.faults.Kubernetes {
		return nil, apierrors.NewServiceUnavailable("switched off by the test")
	}
	return handle(&request{r, body})
}

// discovery is the least that clients ask for before they start.
func discovery() map[string]any {
	resources := func(r resource, subresources ...metav1.APIResource) metav1.APIResourceList {
		verbs := metav1.Verbs{"get", "list", "patch"}
		return metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: r.apiVersion(),
			APIResources: append([]metav1.APIResource{{Name: r.Plural, Namespaced: true, Kind: r.Kind, Verbs: verbs}}, subresources...),
		}
	}
	var groups []metav1.APIGroup
	for _, r := range []resource{virtualServices, deployments} {
		v := metav1.GroupVersionForDiscovery{GroupVersion: r.apiVersion(), Version: r.Version}
		groups = append(groups, metav1.APIGroup{Name: r.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
	}
	return map[string]any{
		"/version": map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.2+testbed"},
		"/readyz":  "ok",
		"/api":     metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}},
		"/apis":    metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: groups},

		"/apis/" + virtualServices.apiVersion(): resources(virtualServices),
		"/apis/" + deployments.apiVersion(): resources(deployments, metav1.APIResource{
			Name: "deployments/scale", Namespaced: true, Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: metav1.Verbs{"get", "patch", "update"},
		}),
	}
}

func (t *Testbed) list(r resource, q *request) (any, error) {
	for _, option := range []string{"labelSelector", "fieldSelector", "watch"} {
		if v := q.URL.Query().Get(option); v != "" && v != "false" && v != "0" {
			return nil, apierrors.NewBadRequest("the testbed lists without " + option)
		}
	}
	return map[string]any{
		"apiVersion": r.apiVersion(), "kind": r.Kind + "List",
		"metadata": map[string]any{"resourceVersion": fmt.Sprint(t.objects.version)},
		"items":    t.objects.list(r, q.PathValue("namespace")),
	}, nil
}

func (t *Testbed) get(r resource, q *request) (object, error) {
	found, ok := t.objects.byKey[key(r, q.PathValue("namespace"), q.PathValue("name"))]
	if !ok {
		return nil, apierrors.NewNotFound(r.groupResource(), q.PathValue("name"))
	}
	return found, nil
}

func (t *Testbed) patchObject(r resource, q *request) (any, error) {
	stored, err := t.get(r, q)
	if err != nil {
		return nil, err
	}
	changed, err := patched(q, stored, jsonPatchType, mergePatchType)
	if err != nil {
		return nil, err
	}
	return t.write(r, q, stored, changed)
}

// write stores a changed object, unless it is a dry run, and lets the emulator follow it.
func (t *Testbed) write(r resource, q *request, stored, changed object) (object, error) {
	dryRun := q.URL.Query()["dryRun"]
	for _, v := range dryRun {
		if v != metav1.DryRunAll {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("dryRun=%s is not known; want %s", v, metav1.DryRunAll))
		}
	}
	changed, err := t.objects.update(r, stored, changed)
	if err != nil || len(dryRun) == 0 && metadata(changed)["resourceVersion"] == metadata(stored)["resourceVersion"] {
		return changed, err
	}
	next := t.objects.with(key(r, q.PathValue("namespace"), q.PathValue("name")), changed)
	settings, err := next.settings(t.graph)
	if err != nil {
		return nil, apierrors.NewBadRequest(`admission webhook "testbed.windvane.io" denied the request: configuration is invalid: ` + err.Error())
	}
	if len(dryRun) > 0 {
		return changed, nil
	}
	if t.behind = t.faults.Proxies; !t.behind {
		if err := t.emulator.Apply(t.elapsed.Seconds(), settings); err != nil {
			return nil, err
		}
	}
	t.objects = next
	return changed, nil
}

// patched applies the patch in the request to an object. Refusals are those of the API server.
func patched(q *request, stored object, accepted ...string) (object, error) {
	contentType, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(accepted, contentType) {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
			Message: fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: %v", accepted),
		}}
	}
	before, err := json.Marshal(stored)
	if err != nil {
		return nil, err
	}
	after, err := applyPatch(contentType, before, q.body)
	if err != nil {
		return nil, err
	}
	changed, err := decodeObject(after)
	if err != nil || changed == nil {
		return nil, apierrors.NewBadRequest("the patched object is not a JSON object")
	}
	return changed, nil
}

func applyPatch(contentType string, before, body []byte) ([]byte, error) {
	if contentType == mergePatchType {
		after, err := jsonpatch.MergePatch(before, body)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return after, nil
	}
	patch, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	after, err := patch.Apply(before)
	if err != nil {
		// Also for a failed test: the API server knows no other answer to a patch that does not apply.
		return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return after, nil
}

func immutable(name string, v any) field.ErrorList {
	return field.ErrorList{field.Invalid(field.NewPath("metadata", name), v, "field is immutable")}
}
