package kube

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Client reads and writes the scale of Deployments as raw JSON. Its errors carry the API
// server's status, as apierrors.APIStatus.
type Client interface {
	GetScale(ctx context.Context, namespace, name string) ([]byte, error)
	PutScale(ctx context.Context, namespace, name string, scale []byte) error
}

// NewClient returns a client over a REST client of any group and version, such as
// that of rest.UnversionedRESTClientFor. Deadlines are the callers'.
func NewClient(r rest.Interface) Client { return client{r} }

type client struct{ rest rest.Interface }

func path(namespace, name string) []string {
	return []string{"apis", "apps", "v1", "namespaces", namespace, "deployments", name, "scale"}
}

func (c client) GetScale(ctx context.Context, namespace, name string) ([]byte, error) {
	return kubeapi.Do(ctx, c.rest.Get().AbsPath(path(namespace, name)...))
}

func (c client) PutScale(ctx context.Context, namespace, name string, scale []byte) error {
	_, err := kubeapi.Do(ctx, c.rest.Put().AbsPath(path(namespace, name)...).
		Param("fieldManager", kubeapi.FieldManager).SetHeader("Content-Type", "application/json").Body(scale))
	return err
}
