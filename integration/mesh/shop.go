package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/windvane/windvane/integration/stack"
)

// What the shop of the evaluation is made of. Nodes wait rather than compute, so that two
// cores carry the whole stack, and long enough for what a busy machine adds to be little
// beside it. At equal parts of both services they answer about 390 requests/s, and v2 has
// fewer workers than v1. The bounds are about twice the p95 of a service that nobody waits
// for, and buckets of Envoy's histogram.
var (
	nodes  = stack.Nodes{Workers: map[string]int{"v1": 12, "v2": 9}, Services: "information=200us,30ms;compute=200us,75ms"}
	bounds = map[string]time.Duration{"information": 200 * time.Millisecond, "compute": 500 * time.Millisecond}
)

// interval of the loop, and the look-back of its signals.
const interval = time.Second

// plugins are the [plugin] tables that the policies of this command refer to.
const plugins = `
[plugin.explorer]
builtin = "explore"

[plugin.planner]
builtin = "tabular"

[plugin.shed]
builtin = "threshold"
`

// withMeshes starts meshes, each in a directory of its own, which are kept after an error
// other than an interruption, for their logs. Whatever happens no process is left behind.
func withMeshes(ctx context.Context, programs string, n int, use func(context.Context, []*stack.Mesh) error) (err error) {
	if programs == "" {
		return errors.New("there are no programs: export WINDVANE_PROGRAMS=$(integration/tools/build.sh)")
	}
	dir, err := os.MkdirTemp("", "windvane-mesh-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w\nthe logs are in %s", err, dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	_, _ = fmt.Fprintln(os.Stderr, "starting etcd, kube-apiserver, istiod, Envoy, Prometheus and the nodes: about 20 s for each mesh")
	var all []*stack.Mesh
	for i := range n {
		own := filepath.Join(dir, strconv.Itoa(i+1))
		if err := os.Mkdir(own, 0o700); err != nil {
			return err
		}
		m, err := stack.StartMesh(ctx, stack.MeshOptions{Programs: programs, Dir: own, Interval: interval, Nodes: nodes})
		if err != nil {
			return err
		}
		defer m.Stop()
		all = append(all, m)
	}
	return use(ctx, all)
}
