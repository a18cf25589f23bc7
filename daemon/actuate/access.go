package actuate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Permission is something that the API server may allow.
type Permission struct {
	Verb      string // such as get
	Group     string // of the API, such as apps
	Resource  string // plural, with the subresource: deployments/scale
	Namespace string
	Name      string // empty: of all objects
}

// String is the permission in words.
func (p Permission) String() string {
	if p.Name == "" {
		return fmt.Sprintf("%s %s in namespace %s", p.Verb, p.Resource, p.Namespace)
	}
	return fmt.Sprintf("%s %s %s/%s", p.Verb, p.Resource, p.Namespace, p.Name)
}

const accessReviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

// Allowed asks the API server whether the client's user has a permission. The question is
// a POST that stores nothing and changes nothing; whoever may log in may ask it.
func Allowed(ctx context.Context, r rest.Interface, p Permission) (bool, error) {
	resource, sub, _ := strings.Cut(p.Resource, "/")
	question, err := json.Marshal(map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]string{
			"verb": p.Verb, "group": p.Group, "resource": resource, "subresource": sub, "namespace": p.Namespace, "name": p.Name,
		}},
	})
	if err != nil {
		return false, err
	}
	raw, err := kubeapi.Do(ctx, r.Post().AbsPath(accessReviews).SetHeader("Content-Type", "application/json").Body(question))
	if err != nil {
		return false, fmt.Errorf("ask for the permission to %s: %w", p, err)
	}
	var answer struct {
		Status *struct {
			Allowed         bool   `json:"allowed"`
			EvaluationError string `json:"evaluationError"`
		} `json:"status"`
	}
	switch err := json.Unmarshal(raw, &answer); {
	case err != nil:
		return false, fmt.Errorf("ask for the permission to %s: the API server's answer: %w", p, err)
	case answer.Status == nil:
		return false, fmt.Errorf("ask for the permission to %s: the API server's answer has no status", p)
	case !answer.Status.Allowed && answer.Status.EvaluationError != "":
		return false, fmt.Errorf("ask for the permission to %s: the API server cannot tell: %s", p, answer.Status.EvaluationError)
	}
	return answer.Status.Allowed, nil
}
