package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kubelet makes the replicas of Deployments real: a process of the program node for each,
// and a WorkloadEntry by which istiod knows it. There is no kubelet without containers,
// and Kubernetes endpoints refuse addresses of loopback.
//
// Deployments with the label app=node are run. The environment of their first container is
// what a node is started with: VERSION, WORKERS, and SERVICES as in information=1ms,4ms;….
// A node that ends is started again, one that is scaled away has a moment for its requests.
type Kubelet struct {
	s       *Stack
	program string
	done    chan struct{}
	cancel  context.CancelFunc

	mu    sync.Mutex
	nodes map[string][]*Node // by Deployment
	count int                // of all nodes ever
	err   error              // of the last look
}

// Node is one replica.
type Node struct {
	*Process

	Address string
	Version string
}

// drain is how long a node that was taken out of the mesh goes on.
const drain = time.Second

// deployment is what is read of one.
type deployment struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Replicas int `json:"replicas"`
		Template struct {
			Spec struct {
				Containers []struct {
					Env []struct {
						Name  string `json:"name"`
						Value string `json:"value"`
					} `json:"env"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

func (d *deployment) env(name string) string {
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == name {
				return e.Value
			}
		}
	}
	return ""
}

// StartKubelet runs the Deployments' replicas as processes of a program (integration/node).
func (s *Stack) StartKubelet(program string) *Kubelet {
	//nolint:forbidigo // it ends with Stop
	ctx, cancel := context.WithCancel(context.Background())
	k := &Kubelet{s: s, program: program, done: make(chan struct{}), cancel: cancel, nodes: map[string][]*Node{}}
	s.mu.Lock()
	s.kubelet = k
	s.mu.Unlock()
	go func() {
		defer close(k.done)
		for {
			err := k.look(ctx)
			k.mu.Lock()
			k.err = err
			k.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return k
}

// Stop ends the looking. The nodes end with the stack, which stops its Kubelet first.
func (k *Kubelet) Stop() {
	k.cancel()
	<-k.done
}

// Nodes are those of a Deployment that run.
func (k *Kubelet) Nodes(deployment string) []*Node {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.nodes[deployment])
}

// Await returns when a Deployment has that many nodes.
func (k *Kubelet) Await(ctx context.Context, deployment string, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	for {
		if len(k.Nodes(deployment)) == nodes {
			return nil
		}
		select {
		case <-ctx.Done():
			k.mu.Lock()
			defer k.mu.Unlock()
			return errors.Join(fmt.Errorf("%s has %d nodes, want %d", deployment, len(k.nodes[deployment]), nodes), k.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// look makes the nodes those that the Deployments say.
func (k *Kubelet) look(ctx context.Context) error {
	text, err := k.s.Do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/default/deployments?labelSelector=app%3Dnode", "")
	if err != nil {
		return err // nodes run on without an API server
	}
	var list struct {
		Items []deployment `json:"items"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return err
	}
	wanted := map[string]*deployment{}
	for i := range list.Items {
		wanted[list.Items[i].Metadata.Name] = &list.Items[i]
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(k.nodes)) {
		if wanted[name] == nil {
			errs = append(errs, k.scale(ctx, name, &deployment{}))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		errs = append(errs, k.scale(ctx, name, wanted[name]))
	}
	return errors.Join(errs...)
}

func (k *Kubelet) scale(ctx context.Context, name string, d *deployment) error {
	var errs []error
	kept := []*Node{}
	for _, n := range k.Nodes(name) {
		select {
		case <-n.done:
			errs = append(errs, k.forget(ctx, n))
			continue
		default:
		}
		if len(kept) < d.Spec.Replicas {
			kept = append(kept, n)
			continue
		}
		errs = append(errs, k.forget(ctx, n))
		go func() {
			time.Sleep(drain)
			n.Stop(drain)
		}()
	}
	for len(kept) < d.Spec.Replicas {
		n, err := k.run(ctx, name, d)
		if err != nil {
			errs = append(errs, err)
			break
		}
		kept = append(kept, n)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nodes[name] = kept
	return errors.Join(errs...)
}

// run starts a node, and tells istiod of it once it answers.
func (k *Kubelet) run(ctx context.Context, name string, d *deployment) (*Node, error) {
	k.count++
	n := &Node{Address: freeAddress(), Version: d.env("VERSION")}
	args := []string{"--listen", n.Address, "--version", n.Version, "--workers", d.env("WORKERS")}
	for s := range strings.SplitSeq(d.env("SERVICES"), ";") {
		args = append(args, "--service", s)
	}
	var err error
	if n.Process, err = k.s.Run(fmt.Sprintf("%s-%d", name, k.count), k.program, nil, args...); err != nil {
		return nil, err
	}
	err = n.await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, "http://"+n.Address+"/-/workers")
		return err
	})
	if err != nil {
		n.Kill()
		return nil, err
	}
	entry := fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"WorkloadEntry","metadata":{"name":%q},
		"spec":{"address":"127.0.0.1","ports":{"http":%s},"labels":{"app":"node","version":%q}}}`, n.Name, port(n.Address), n.Version)
	if _, err = k.s.Do(ctx, http.MethodPost, workloadEntries, entry); err != nil {
		n.Kill()
		return nil, err
	}
	return n, nil
}

const workloadEntries = "/apis/networking.istio.io/v1/namespaces/default/workloadentries"

func (k *Kubelet) forget(ctx context.Context, n *Node) error {
	_, err := k.s.Do(ctx, http.MethodDelete, workloadEntries+"/"+n.Name, "")
	return err
}

// SetWorkers says how many requests a node works on at once: what a fault takes away.
func (n *Node) SetWorkers(ctx context.Context, workers int) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+n.Address+"/-/workers", strings.NewReader(fmt.Sprint(workers)))
	if err != nil {
		return err
	}
	_, err = answer(http.DefaultClient, q)
	return err
}
