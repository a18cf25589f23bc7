package stack

import (
	"net/http"

	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/plugins/policy"
)

// REST is a client of the API server with the rights of a user, as windvane has one.
func (s *Stack) REST(u User) (*rest.RESTClient, error) {
	file, err := s.Kubeconfig(u)
	if err != nil {
		return nil, err
	}
	c, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return nil, err
	}
	c.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c.QPS = -1
	return rest.UnversionedRESTClientFor(c)
}

// Actuator is windvane's own for the shop, without the daemon, with the rights of a user.
func (s *Stack) Actuator(u User) (*istio.Actuator, error) {
	client, err := s.REST(u)
	if err != nil {
		return nil, err
	}
	o := istio.Options{Client: istio.NewClient(client)}
	for _, s := range Services {
		o.Routes = append(o.Routes, istio.Route{Service: s, VirtualService: "default/front", HTTP: s, Destinations: Versions})
		o.Blocking = append(o.Blocking, istio.Blocking{Service: s, Status: http.StatusTooManyRequests})
	}
	return istio.New(o)
}

// Plan is what the shop may be told: the share of v1, and the share that is blocked, by service.
func Plan(v1, blocking map[string]float64) policy.Action {
	var out policy.Action
	for _, s := range Services {
		id := policy.KnobID{Kind: policy.Weight, Target: "default/front/" + s}
		for version, w := range map[string]float64{"v1": v1[s], "v2": 1 - v1[s]} {
			id.Part = version
			out = append(out, policy.Setting{KnobID: id, Value: w})
		}
		out = append(out, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: s}, Value: blocking[s]})
	}
	out.Sort()
	return out
}
