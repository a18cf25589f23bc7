// Package kubeapi is what the actuators share in talking to a Kubernetes API server:
// raw JSON over a REST client, and errors that keep the server's words. Typed objects
// stay out: they drop the fields that they do not know.
package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// FieldManager is the name under which windvane writes.
const FieldManager = "windvane"

// Do sends the request and returns the JSON of the answer. The error of a refusal is an
// apierrors.StatusError with the server's message. It tries once: the next cycle is the
// next try, and trying on until the deadline would hide what went wrong behind it.
func Do(ctx context.Context, r *rest.Request) ([]byte, error) {
	body, err := r.SetHeader("Accept", "application/json").MaxRetries(0).DoRaw(ctx)
	if err == nil {
		return body, nil
	}
	// DoRaw looks no further than the HTTP status.
	status := &apierrors.StatusError{}
	if json.Unmarshal(body, &status.ErrStatus) == nil && status.ErrStatus.Status == metav1.StatusFailure {
		return nil, status
	}
	return nil, err
}

// DryRun lets the server do all but store the result, if dry says so.
func DryRun(r *rest.Request, dry bool) *rest.Request {
	if dry {
		return r.Param("dryRun", metav1.DryRunAll)
	}
	return r
}

// Code returns the HTTP status of a refusal, 0 for any other error.
func Code(err error) int32 {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code
	}
	return 0
}

// Name is a namespace and a name.
type Name struct{ Namespace, Name string }

// ParseName reads "namespace/name".
func ParseName(s string) (Name, error) {
	ns, name, ok := strings.Cut(s, "/")
	if !ok || ns == "" || name == "" || strings.Contains(name, "/") {
		return Name{}, fmt.Errorf("%q: want namespace/name", s)
	}
	return Name{Namespace: ns, Name: name}, nil
}

// String writes namespace/name.
func (n Name) String() string { return n.Namespace + "/" + n.Name }
