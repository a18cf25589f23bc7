package doctor

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/windvane/windvane/daemon/actuate/kube"
)

// apiServer looks whether the API server answers, and which version it is.
func (e *examination) apiServer(ctx context.Context) {
	add := e.about("", "api server")
	const do = "correct [kubernetes] in windvane.toml, or the kubeconfig that it names; until then windvane holds, and nothing about its objects is known"
	if e.o.ClusterErr != nil || e.o.Cluster == nil {
		add("kubernetes", Problem, fmt.Sprintf("there is no client for it: %v", e.o.ClusterErr), do)
		return
	}
	var version struct {
		Git string `json:"gitVersion"`
	}
	var err error
	e.ask(ctx, func(ctx context.Context) {
		var raw []byte
		if raw, err = kube.NewClient(e.o.Cluster).Get(ctx, "/version"); err == nil {
			err = json.Unmarshal(raw, &version)
		}
	})
	if err != nil {
		add("kubernetes", Problem, fmt.Sprintf("it does not answer: %v", err), do)
		return
	}
	e.cluster = true
	add("kubernetes", OK, "it answers; version "+version.Git, "")
}
