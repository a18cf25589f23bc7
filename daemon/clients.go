package daemon

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/observe"
)

// prometheusClient is a source of signals, and the connections to be closed with it.
type prometheusClient struct {
	api   observe.API // what a cycle asks
	whole v1.API      // all that Prometheus can be asked
	http  *http.Client
}

func newPrometheusClient(p config.Prometheus) (prometheusClient, error) {
	client, err := promconfig.NewClientFromConfig(p.HTTP, "windvane", promconfig.WithUserAgent(version.ComponentUserAgent("windvane")))
	if err != nil {
		return prometheusClient{}, fmt.Errorf("prometheus.%s.http: %w", p.Name, err)
	}
	c, err := api.NewClient(api.Config{Address: p.URL, Client: client})
	if err != nil {
		return prometheusClient{}, fmt.Errorf("prometheus.%s: %w", p.Name, err)
	}
	whole := v1.NewAPI(c)
	return prometheusClient{api: whole, whole: whole, http: client}, nil
}

// kubernetesClient is the API server, and the connections to be closed with it.
type kubernetesClient struct {
	rest rest.Interface
	http *http.Client
}

// newKubernetesClient returns a client below which is a fence; nil: there is none.
func newKubernetesClient(k config.Kubernetes, fence func(http.RoundTripper) http.RoundTripper) (kubernetesClient, error) {
	c, err := kubernetesConfig(k)
	if err != nil {
		return kubernetesClient{}, err
	}
	if fence != nil {
		c.Wrap(fence)
	}
	return kubernetesClientFor(c)
}

func kubernetesConfig(k config.Kubernetes) (*rest.Config, error) {
	files := clientcmd.NewDefaultClientConfigLoadingRules()
	if k.KubeconfigFile != "" {
		files = &clientcmd.ClientConfigLoadingRules{ExplicitPath: k.KubeconfigFile}
	}
	// Without a file this is the pod's service account, then what kubectl uses.
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(files, &clientcmd.ConfigOverrides{CurrentContext: k.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w; set kubernetes.kubeconfig_file", err)
	}
	c.UserAgent = version.ComponentUserAgent("windvane")
	c.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	// A few requests a cycle, each with a deadline: a rate limit of the client's own
	// would only make them late.
	c.QPS = -1
	return c, nil
}

func kubernetesClientFor(c *rest.Config) (kubernetesClient, error) {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return kubernetesClient{}, fmt.Errorf("kubernetes: %w", err)
	}
	r, err := rest.UnversionedRESTClientForConfigAndClient(c, client)
	if err != nil {
		return kubernetesClient{}, fmt.Errorf("kubernetes: %w", err)
	}
	return kubernetesClient{rest: r, http: client}, nil
}
