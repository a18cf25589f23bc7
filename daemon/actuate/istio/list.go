package istio

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Listed is a VirtualService of the cluster, whether or not a rules file names it.
type Listed struct {
	Namespace string
	Name      string
	Owner     string // who else sets spec.http; empty: nobody that can be seen
	Routes    []ListedRoute
}

// ListedRoute is one entry of spec.http.
type ListedRoute struct {
	HTTP         string // its name; may be empty
	Hosts        []string
	Destinations []string // as a rules file calls them, in the order of Hosts
	Err          error    // why windvane cannot set it as it is, and what to change
}

// List returns the VirtualServices of a namespace, of all if it is empty, in the order of
// the API server.
func List(ctx context.Context, r rest.Interface, namespace string) ([]Listed, error) {
	segments := []string{"apis", "networking.istio.io", "v1"}
	if namespace != "" {
		segments = append(segments, "namespaces", namespace)
	}
	raw, err := kubeapi.Do(ctx, r.Get().AbsPath(append(segments, "virtualservices")...))
	if err != nil {
		return nil, fmt.Errorf("istio: list VirtualServices: %w", err)
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("istio: list VirtualServices: the API server's answer: %w", err)
	}
	var out []Listed
	for _, item := range list.Items {
		var is struct {
			Metadata struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"metadata"`
		}
		v, err := parseView(item)
		if err == nil {
			err = json.Unmarshal(item, &is)
		}
		if err != nil {
			return nil, fmt.Errorf("istio: list VirtualServices: %w", err)
		}
		l := Listed{Namespace: is.Metadata.Namespace, Name: is.Metadata.Name, Owner: v.Metadata.Owner("http")}
		for i := range v.Spec.HTTP {
			l.Routes = append(l.Routes, v.listed(i))
		}
		out = append(out, l)
	}
	return out, nil
}

// listed describes entry i of spec.http.
func (v view) listed(i int) ListedRoute {
	h := v.Spec.HTTP[i]
	out := ListedRoute{HTTP: h.Name}
	for _, d := range h.Route {
		name, _ := d.name()
		out.Hosts, out.Destinations = append(out.Hosts, d.Destination.Host), append(out.Destinations, name)
	}
	if h.Name == "" {
		out.Err = fmt.Errorf("entry %d of spec.http has no name; give it one", i)
		return out
	}
	_, out.Err = v.find(route{Route: Route{HTTP: h.Name, Destinations: out.Destinations}})
	return out
}
