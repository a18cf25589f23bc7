package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Client reads and writes Deployments and their scale as raw JSON. Its errors carry the API
// server's status, as apierrors.APIStatus.
type Client interface {
	GetScale(ctx context.Context, namespace, name string) ([]byte, error)
	// PutScale writes a scale. In a dry run the server does all but store it.
	PutScale(ctx context.Context, namespace, name string, scale []byte, dryRun bool) error
	// Patch sends a JSON Patch to a Deployment, or tries it.
	Patch(ctx context.Context, namespace, name string, patch []byte, dryRun bool) error
	// Get reads whatever is at a path of the API, such as /apis/apps/v1/…
	Get(ctx context.Context, path string) ([]byte, error)
}

// NewClient returns a client over a REST client of any group and version, such as
// that of rest.UnversionedRESTClientFor. Deadlines are the callers'.
func NewClient(r rest.Interface) Client { return client{r} }

type client struct{ rest rest.Interface }

func deployment(namespace, name string) string {
	return "/apis/apps/v1/namespaces/" + namespace + "/deployments/" + name
}

func (c client) GetScale(ctx context.Context, namespace, name string) ([]byte, error) {
	return c.Get(ctx, deployment(namespace, name)+"/scale")
}

func (c client) PutScale(ctx context.Context, namespace, name string, scale []byte, dryRun bool) error {
	r := c.rest.Put().AbsPath(deployment(namespace, name)+"/scale").
		Param("fieldManager", kubeapi.FieldManager).SetHeader("Content-Type", "application/json")
	_, err := kubeapi.Do(ctx, kubeapi.DryRun(r, dryRun).Body(scale))
	return err
}

func (c client) Patch(ctx context.Context, namespace, name string, patch []byte, dryRun bool) error {
	r := c.rest.Patch(types.JSONPatchType).AbsPath(deployment(namespace, name)).Param("fieldManager", kubeapi.FieldManager)
	_, err := kubeapi.Do(ctx, kubeapi.DryRun(r, dryRun).Body(patch))
	return err
}

func (c client) Get(ctx context.Context, path string) ([]byte, error) {
	return kubeapi.Do(ctx, c.rest.Get().AbsPath(path))
}
