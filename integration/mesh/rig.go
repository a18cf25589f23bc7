package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// shedding is the policy of thresholds, alone.
const shedding = `
[[policy]]
name = "shed"
plugin = "shed"
role = "active"
`

// shopRules are those of the evaluation's shop.
func shopRules(authority rules.Authority, policies string) string {
	return stack.Rules(stack.RulesOptions{Authority: authority, Interval: interval, Bounds: bounds, Policies: policies})
}

// rig plays scenes at a mesh, and measures them.
type rig struct {
	mesh     *stack.Mesh
	rules    *rules.Mesh // without policies
	actuator *istio.Actuator
	signals  v1.API
	passed   func(intervals, spared int) // is told of time that has passed, and that will not be needed
}

func newRig(m *stack.Mesh, passed func(int, int)) (*rig, error) {
	r := &rig{mesh: m, passed: passed}
	client, err := api.NewClient(api.Config{Address: m.Prometheus.URL()})
	if err != nil {
		return nil, err
	}
	r.signals = v1.NewAPI(client)
	if r.actuator, err = m.Actuator(stack.Autopilot); err != nil {
		return nil, err
	}
	r.rules, err = rules.Parse("rules.toml", []byte(shopRules(rules.AuthorityObserve, "")))
	return r, err
}

// initial is what the shop starts with.
var initial = stack.Plan(map[string]float64{"information": .5, "compute": .5}, nil)

// set puts settings in force, in place of whatever there is.
func (r *rig) set(ctx context.Context, a policy.Action) error {
	return r.actuator.Apply(ctx, nil, a, nil)
}

// record is what was measured of a scene, without its warm-up.
type record struct {
	clients [][]loadgen.Interval // by service, as stack.Services; what clients saw
	signals [][]float64          // by service: windvane:latency_seconds:p95 at the end of each interval; NaN: none
	late    float64              // p99 of how late requests left, seconds
	failed  map[string]int       // requests by what they got in place of 200 and the commanded 429

	begin, end time.Time
}

// late is how long after an interval Prometheus is asked for what it knew at its end.
const late = 100 * time.Millisecond

// play plays a scene. quit is asked after each interval that counts whether what was
// measured so far is enough; nil: it never is.
func (r *rig) play(ctx context.Context, s scene, quit func(latency [][]float64) bool) (*record, error) {
	start := time.Now().Truncate(interval).Add(2 * interval) // windvane's cycles are at whole intervals, too
	if !until(ctx, start) {
		return nil, ctx.Err()
	}
	offering, stop := context.WithCancel(ctx)
	defer stop()
	answers := make([][]loadgen.Answer, len(s.loads))
	var clients sync.WaitGroup
	for k, service := range stack.Services {
		clients.Go(func() {
			answers[k] = loadgen.Run(offering, loadgen.Options{
				URL: r.mesh.Shop.URL(service), Load: s.loads[k], For: s.duration(), Seed: 2*s.seed + uint64(k), Timeout: timeout,
			})
		})
	}
	rec := &record{signals: make([][]float64, len(s.loads)), begin: start.Add(time.Duration(s.warm) * interval)}
	done := 0
	for i := range s.warm + s.intervals {
		if !until(ctx, start.Add(time.Duration(i+1)*interval+late)) {
			break
		}
		r.passed(1, 0)
		done = i + 1
		if i < s.warm {
			continue
		}
		r.measure(ctx, rec, start.Add(time.Duration(done)*interval))
		if quit != nil && quit(rec.signals) {
			stop()
			break
		}
	}
	clients.Wait() // to the last request that was due, however late they left
	r.passed(0, s.warm+s.intervals-done)
	rec.end = start.Add(time.Duration(done) * interval)
	rec.sum(answers, s.warm, done)
	return rec, ctx.Err()
}

// sum adds the clients' answers.
func (r *record) sum(answers [][]loadgen.Answer, warm, done int) {
	var lates []float64
	r.failed = map[string]int{}
	for _, of := range answers {
		all := loadgen.Intervals(of, interval, time.Duration(done)*interval)
		r.clients = append(r.clients, all[min(warm, len(all)):])
		for _, a := range of {
			lates = append(lates, a.Late.Seconds())
			if a.Due < time.Duration(warm)*interval || a.Due >= time.Duration(done)*interval {
				continue
			}
			if what := failure(a); what != "" {
				r.failed[what]++
			}
		}
	}
	r.late = loadgen.Quantile(lates, .99)
}

// failure says what became of a request that was neither carried nor shed.
func failure(a loadgen.Answer) string {
	var network net.Error
	switch {
	case a.Status == http.StatusOK && a.Err == nil, a.Status == http.StatusTooManyRequests:
		return ""
	case a.Status != 0:
		return "status " + strconv.Itoa(a.Status)
	case errors.As(a.Err, &network) && network.Timeout():
		return "no answer within " + timeout.String()
	default:
		return "connection failed"
	}
}

// measure appends what Prometheus knew at a time.
func (r *rig) measure(ctx context.Context, rec *record, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	found := map[string]float64{}
	v, _, _, err := r.signals.Query(ctx, "windvane:latency_seconds:p95", at)
	if samples, ok := v.(model.Vector); err == nil && ok {
		for _, x := range samples {
			found[string(x.Metric["service"])] = float64(x.Value)
		}
	}
	for k, service := range stack.Services {
		latency, ok := found[service]
		if !ok {
			latency = math.NaN() // unknown is not zero
		}
		rec.signals[k] = append(rec.signals[k], latency)
	}
}

// controlled has windvane control the mesh from its initial settings while something runs,
// and has it put back what was there.
func (r *rig) controlled(ctx context.Context, name, policies string, run func(*stack.Windvane) error) error {
	if err := r.set(ctx, initial); err != nil {
		return err
	}
	w, err := r.mesh.NewWindvane(stack.WindvaneOptions{
		Name: name, Program: r.mesh.Program, User: stack.Autopilot, Prometheus: r.mesh.Prometheus.URL(),
		Rules: shopRules(rules.AuthorityAct, policies), Plugins: plugins,
	})
	if err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	err = run(w)
	w.Stop(10 * time.Second)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, w.Program, "release", "--config.file", w.Config()).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("windvane release: %w: %s", err, out), ctx.Err())
	}
	return nil
}

// until reports whether the time came before the context ended.
func until(ctx context.Context, t time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(t)):
		return true
	}
}
