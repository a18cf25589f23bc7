//go:build integration

package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// scaled are the rules of the shop with the replicas of its nodes to be set.
func scaled() string {
	text := rulesText(rules.AuthorityAct)
	for _, v := range stack.Versions {
		text += fmt.Sprintf("\n[[workload]]\nname = \"node-%s\"\ndeployment = \"default/node-%[1]s\"\nreplicas = {minimum = 1, maximum = 2, cost = 0.1}\n", v)
	}
	return text
}

// Under overload windvane scales both Deployments, but not while an autoscaler has one of them:
// then it changes nothing. New replicas are processes that get requests, and release takes
// them away.
func TestScales(t *testing.T) {
	before := map[string]string{}
	for _, v := range stack.Versions {
		before[v] = deploymentText(t, "node-"+v)
	}
	if err := shared.Apply(t.Context(), autoscaler); err != nil {
		t.Fatal(err)
	}
	deleted := false
	free := func(ctx context.Context) {
		if _, err := shared.Kubectl(ctx, stack.Admin, "", "delete", "horizontalpodautoscaler", "node"); err != nil {
			t.Error(err)
		}
		deleted = true
	}
	t.Cleanup(func() {
		if !deleted {
			free(context.Background())
		}
	})
	stop := offering(t, 230)
	writesBefore := front(t)
	w := startWindvane(t, "scaling", scaled())
	m := eventually(t, w, 30*time.Second, "refused", func(m api.Mesh) bool { return m.Hold == loop.HoldRefused })
	if !strings.Contains(m.Error, "Deployment default/node-v1 is set by HorizontalPodAutoscaler node") {
		t.Errorf("refused for another reason: %s", m.Error)
	}
	for _, v := range stack.Versions {
		if got := deploymentText(t, "node-"+v); got != before[v] || front(t) != writesBefore {
			t.Errorf("refused, and written: %s", got)
		}
	}
	found := of(examine(t, w), "owner")
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Status == doctor.Problem && f.What == "it is scaled by HorizontalPodAutoscaler node"
	}) {
		t.Errorf("doctor on owners: %+v", found)
	}

	free(t.Context())
	for _, v := range stack.Versions {
		if err := shop.Kubelet.Await(t.Context(), "node-"+v, 2); err != nil {
			t.Fatal(err)
		}
	}
	got, idle := served(t), "all"
	for end := time.Now().Add(15 * time.Second); idle != "" && time.Now().Before(end); time.Sleep(interval / 4) {
		got, idle = served(t), ""
		for _, v := range stack.Versions {
			for _, n := range shop.Kubelet.Nodes("node-" + v) {
				if got[n.Address] == 0 {
					idle = n.Name + " at " + n.Address
				}
			}
		}
	}
	if idle != "" {
		t.Errorf("no request at %s", idle)
	}
	t.Logf("requests by replica: %v", got)
	w.Stop(10 * time.Second)
	for s, answers := range stop() {
		for _, a := range answers {
			if a.Status != 200 && a.Status != 429 {
				t.Fatalf("%s: after %v an answer of %d, %v", s, a.Due, a.Status, a.Err)
			}
		}
	}
	release(t, w)
	for _, v := range stack.Versions {
		if err := shop.Kubelet.Await(t.Context(), "node-"+v, 1); err != nil {
			t.Error(err)
		}
		if after := deploymentText(t, "node-"+v); after != before[v] {
			t.Errorf("after release\n%s\nbefore\n%s", after, before[v])
		}
	}
}

const autoscaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: node, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: node-v1}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
`

// deploymentText is what people have written of a Deployment: its spec, labels and annotations.
func deploymentText(t *testing.T, name string) string {
	t.Helper()
	text, err := shared.Kubectl(t.Context(), stack.Admin, "", "get", "deployment", name, "-o", "jsonpath={.spec} {.metadata.labels} {.metadata.annotations}")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// served is how many requests the gateway has sent to each address.
func served(t *testing.T) map[string]int {
	text, err := shop.Gateway.Ask(t.Context(), "/clusters?format=json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Clusters []struct {
			Name  string `json:"name"`
			Hosts []struct {
				Address struct {
					Socket struct {
						Address string `json:"address"`
						Port    int    `json:"port_value"`
					} `json:"socket_address"`
				} `json:"address"`
				Stats []struct {
					Name  string `json:"name"`
					Value string `json:"value"`
				} `json:"stats"`
			} `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, c := range all.Clusters {
		if !strings.HasPrefix(c.Name, "outbound") {
			continue // istiod's
		}
		for _, h := range c.Hosts {
			for _, s := range h.Stats {
				if s.Name != "rq_total" || s.Value == "" {
					continue
				}
				n, err := strconv.Atoi(s.Value)
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					out[fmt.Sprintf("%s:%d", h.Address.Socket.Address, h.Address.Socket.Port)] += n
				}
			}
		}
	}
	return out
}
