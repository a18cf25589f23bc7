package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/draft"
)

// DraftOptions say from what a first configuration is made.
type DraftOptions struct {
	PrometheusURL  string
	KubeconfigFile string // empty: as kubectl finds it
	Context        string
	Namespace      string // empty: all
	Timeout        time.Duration
	At             time.Time
}

// Draft makes a first configuration from the live cluster and Prometheus. Nothing is
// changed, and no file is written.
func Draft(ctx context.Context, o DraftOptions) (draft.Draft, error) {
	if why := config.BadURL(o.PrometheusURL); why != "" {
		return draft.Draft{}, fmt.Errorf("the URL of Prometheus %s", why)
	}
	file := o.KubeconfigFile
	if file != "" {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return draft.Draft{}, err
		}
	}
	cluster, err := newKubernetesClient(config.Kubernetes{KubeconfigFile: file, Context: o.Context}, nil)
	if err != nil {
		return draft.Draft{}, fmt.Errorf("%w, here --kubeconfig", err)
	}
	defer cluster.http.CloseIdleConnections()
	source, err := newPrometheusClient(config.Prometheus{Name: "main", URL: o.PrometheusURL, HTTP: promconfig.DefaultHTTPClientConfig})
	if err != nil {
		return draft.Draft{}, err
	}
	defer source.http.CloseIdleConnections()
	return draft.Make(ctx, draft.Options{
		PrometheusURL: o.PrometheusURL, Prometheus: source.whole, Cluster: cluster.rest, KubeconfigFile: file, Context: o.Context,
		Namespace: o.Namespace, Timeout: o.Timeout, At: o.At,
	})
}
