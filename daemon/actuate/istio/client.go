package istio

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Client reads and patches VirtualServices as raw JSON. Its errors carry the API
// server's status, as apierrors.APIStatus.
type Client interface {
	Get(ctx context.Context, namespace, name string) ([]byte, error)
	// Patch sends a JSON Patch. In a dry run the server does all but store the result.
	Patch(ctx context.Context, namespace, name string, patch []byte, dryRun bool) error
	// Apply writes an object by server-side apply, and takes the ownership of its fields.
	Apply(ctx context.Context, namespace, name string, object []byte, dryRun bool) error
}

// NewClient returns a client over a REST client of any group and version, such as
// that of rest.UnversionedRESTClientFor. Deadlines are the callers'.
func NewClient(r rest.Interface) Client { return client{r} }

type client struct{ rest rest.Interface }

func path(namespace, name string) []string {
	return []string{"apis", "networking.istio.io", "v1", "namespaces", namespace, "virtualservices", name}
}

func (c client) Get(ctx context.Context, namespace, name string) ([]byte, error) {
	return kubeapi.Do(ctx, c.rest.Get().AbsPath(path(namespace, name)...))
}

func (c client) Apply(ctx context.Context, namespace, name string, object []byte, dryRun bool) error {
	r := c.rest.Patch(types.ApplyPatchType).AbsPath(path(namespace, name)...).Param("fieldManager", kubeapi.FieldManager).Param("force", "true")
	_, err := kubeapi.Do(ctx, kubeapi.DryRun(r, dryRun).Body(object))
	return err
}

func (c client) Patch(ctx context.Context, namespace, name string, patch []byte, dryRun bool) error {
	r := c.rest.Patch(types.JSONPatchType).AbsPath(path(namespace, name)...).Param("fieldManager", kubeapi.FieldManager)
	_, err := kubeapi.Do(ctx, kubeapi.DryRun(r, dryRun).Body(patch))
	return err
}
