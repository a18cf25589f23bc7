package testbed

import (
	"encoding/json"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const accessReviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

// reviewAccess answers who asks for permissions of his own as an API server does that is
// started with --authorization-mode=AlwaysAllow: with the question, and a status
// (kubernetes, pkg/registry/authorization/selfsubjectaccessreview). Nothing is stored.
func (t *Testbed) reviewAccess(q *request) (any, error) {
	var review struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       struct {
			Resource    map[string]any `json:"resourceAttributes,omitempty"`
			NonResource map[string]any `json:"nonResourceAttributes,omitempty"`
		} `json:"spec"`
		Status struct {
			Allowed bool `json:"allowed"`
		} `json:"status"`
	}
	if err := json.Unmarshal(q.body, &review); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if review.Kind != "SelfSubjectAccessReview" {
		return nil, apierrors.NewBadRequest("no kind \"" + review.Kind + "\" is registered for the path " + q.URL.Path)
	}
	if (review.Spec.Resource == nil) == (review.Spec.NonResource == nil) {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: "authorization.k8s.io", Kind: review.Kind}, "", field.ErrorList{
			field.Invalid(field.NewPath("spec").Child("resourceAttributes"), review.Spec.NonResource, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
		})
	}
	review.Status.Allowed = true
	return created{review}, nil
}

// created is an answer with the status 201.
type created struct{ body any }

func writeAnswer(w http.ResponseWriter, answer any) {
	if c, ok := answer.(created); ok {
		writeJSON(w, http.StatusCreated, c.body)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}
