package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/threshold"
)

// gate is between the daemon and the testbed. A fault may answer in its place.
type gate struct {
	rig    *rig
	policy *wish

	mu     sync.Mutex
	fault  fault // zero: none
	writes int   // that the API server has made
}

// fault is what is wrong with the world of a daemon. The zero value is nothing.
type fault struct {
	prometheus func(w http.ResponseWriter, r *http.Request, forward func() reply)
	kubernetes func(w http.ResponseWriter, r *http.Request, forward func() reply)
	clock      time.Duration // that it is wrong by
	full       bool          // the disk
}

// reply is an answer of the testbed.
type reply struct {
	code int
	body []byte
}

func (a reply) to(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body)
}

func (g *gate) set(f fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault, g.writes = f, 0
}

func (g *gate) current() (f fault, writes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault, g.writes
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	step := stepOf(r)
	forward := func() reply { return g.forward(r, step, body) }
	f, _ := g.current()
	answer := f.kubernetes
	if step == "query" {
		answer = f.prometheus
		r.Form = nil
		r.Body = io.NopCloser(bytes.NewReader(body))
		_ = r.ParseForm() // for the query
	}
	if answer == nil {
		forward().to(w)
		return
	}
	answer(w, r, forward)
}

func (g *gate) forward(r *http.Request, step string, body []byte) reply {
	answer, err := (&killer{rig: g.rig}).forward(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }() // it is read
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if strings.HasPrefix(step, "p") && answer.StatusCode == http.StatusOK {
		g.mu.Lock()
		g.writes++
		g.mu.Unlock()
	}
	return reply{answer.StatusCode, b}
}

// disk is a real one that is full while the fault says so.
func (g *gate) disk() journal.Disk {
	d := journal.RealDisk()
	write := d.WriteAt
	d.WriteAt = func(f *os.File, b []byte, off int64) (int, error) {
		if f, _ := g.current(); f.full {
			return 0, syscall.ENOSPC
		}
		return write(f, b, off)
	}
	return d
}

// Next implements daemon.Clock: that of the testbed, and maybe wrong.
func (g *gate) Next(ctx context.Context, mesh string, interval time.Duration) (time.Time, error) {
	at, err := g.rig.Next(ctx, mesh, interval)
	f, _ := g.current()
	return at.Add(f.clock), err
}

func down(http.ResponseWriter, *http.Request, func() reply) { panic(http.ErrAbortHandler) }

func slow(_ http.ResponseWriter, r *http.Request, _ func() reply) { <-r.Context().Done() }

func refusal(code int, body string) func(http.ResponseWriter, *http.Request, func() reply) {
	return func(w http.ResponseWriter, _ *http.Request, _ func() reply) { reply{code, []byte(body)}.to(w) }
}

// onWrites answers writes and dry runs alone with a status of Kubernetes.
func onWrites(code int, reason string) func(http.ResponseWriter, *http.Request, func() reply) {
	no := refusal(code, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"the test says no"}`, reason, code))
	return func(w http.ResponseWriter, r *http.Request, forward func() reply) {
		if r.Method == http.MethodGet {
			forward().to(w)
			return
		}
		no(w, r, forward)
	}
}

// vector is the answer to an instant query.
type vector struct {
	Status   string   `json:"status"`
	Warnings []string `json:"warnings,omitempty"`
	Data     struct {
		Type   string   `json:"resultType"`
		Result []sample `json:"result"`
	} `json:"data"`
}

type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// rewrites has the answers to instant queries changed; ages says that the query asks how
// old samples are.
func rewrites(change func(v *vector, ages bool)) func(http.ResponseWriter, *http.Request, func() reply) {
	return func(w http.ResponseWriter, r *http.Request, forward func() reply) {
		a := forward()
		var v vector
		if err := json.Unmarshal(a.body, &v); err != nil {
			panic(err)
		}
		change(&v, strings.Contains(r.Form.Get("query"), "timestamp("))
		a.body, _ = json.Marshal(v)
		a.to(w)
	}
}

func values(text string) func(*vector, bool) {
	return func(v *vector, ages bool) {
		for i := range v.Data.Result {
			if !ages {
				v.Data.Result[i].Value[1] = text
			}
		}
	}
}

func twice(v *vector, ages bool) {
	if ages {
		return
	}
	for _, s := range v.Data.Result {
		other := sample{Metric: map[string]string{"replica": "b"}, Value: s.Value}
		maps.Copy(other.Metric, s.Metric)
		v.Data.Result = append(v.Data.Result, other)
	}
}

// stale has all samples be five minutes old.
func stale(v *vector, ages bool) {
	for i := range v.Data.Result {
		if !ages {
			continue
		}
		var at float64
		if _, err := fmt.Sscan(v.Data.Result[i].Value[1].(string), &at); err != nil {
			panic(err)
		}
		v.Data.Result[i].Value[1] = fmt.Sprint(at - 300)
	}
}

// wish is a policy that wants the same blocking of every service: much, or none at all.
type wish struct{ none atomic.Bool }

func (*wish) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "wish"}, nil
}

func (*wish) Configure(context.Context, policy.Config) error { return nil }

func (p *wish) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	a := o.Live.Clone()
	for i, s := range a {
		if s.Kind != policy.Blocking {
			continue
		}
		if a[i].Value = .6; p.none.Load() {
			a[i].Value = 0
		}
	}
	return policy.Decision{Action: a, Reason: "as it was told"}, nil
}

// moody is the threshold policy, whose answers are none while there is a file.
type moody struct {
	*threshold.Threshold
	file string
}

func (m moody) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	if _, err := os.Stat(m.file); err == nil {
		return policy.Decision{Action: o.Live[:len(o.Live)/2], Reason: "nonsense"}, nil
	}
	return m.Threshold.Decide(ctx, o)
}
