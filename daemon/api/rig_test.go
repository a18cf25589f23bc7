package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/promise"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is a server of a daemon that only remembers what it was asked for.
type rig struct {
	t      *testing.T
	server *Server
	http   *http.Client
	url    string
	acted  []string
	log    bytes.Buffer // read after stop
}

// options are those of a daemon of one mesh with two cycles in its journal.
func (r *rig) options() Options {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	did := func(what string) { r.acted = append(r.acted, what) }
	change := policy.Change{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "checkout"}, From: 0, To: .2}
	objective := Objective{Signal: "latency", Status: "valid", Value: new(.04), Bound: .05, Budget: .05}
	return Options{
		Listener: listener, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
		Journal: journalOf(r.t, change),
		Status: func() Status {
			return Status{Version: "1.0", StartedAt: at, ConfigFile: "windvane.toml", Meshes: []Mesh{
				{Name: "shop", Authority: "act", Services: []Service{{Name: "checkout", Objectives: []Objective{objective}}}},
				{Name: "books", Authority: "observe"},
			}}
		},
		Plans: func() []Plan {
			return []Plan{{ID: "1a2b3c4d", Mesh: "shop", Cycle: 2, At: at, Expires: at.Add(time.Minute), Policy: "planner", Changes: []policy.Change{change}}}
		},
		Policies: func() []Policy {
			return []Policy{{Mesh: "shop", Name: "planner", Role: "active", Kind: "tabular", Since: at}, {Mesh: "books", Name: "simple", Role: "active", Kind: "threshold"}}
		},
		Policy: func(mesh, policy string) (*PolicyDetail, error) {
			if mesh != "shop" || policy != "planner" {
				return nil, notFound("no policy %q is declared; known: planner", policy)
			}
			return &PolicyDetail{
				Policy: Policy{
					Mesh: mesh, Name: policy, Role: "active", Kind: "tabular", Since: at, Declared: "active",
					Trained: &Trained{ID: "tabular-0123456789ab", Rows: 1500, Configurations: 36, Seed: 1},
				},
				Card: []byte(`{"policy": "tabular", "mesh": "shop"}`), Refusals: []Refusal{},
			}, nil
		},
		Promise: func(mesh, service string) (*Promise, error) {
			return &Promise{
				Mesh: mesh, Service: service, At: at, Signal: "latency", Bound: .05, Target: .95, Offered: 40, Supported: true, Policy: "planner",
				Points: []promise.Point{{Target: .95, Carried: new(38.), All: new(50.), Low: new(48.), High: new(51.)}},
			}, nil
		},
		Promote: func(mesh, policy, by string, q RoleRequest) error {
			if policy == "slow" && !q.Force {
				return &Error{http.StatusConflict, errors.New("mesh shop: policy slow is not promoted: its plugin does not answer, and the fallback would decide: it was stopped (plugin_down); " +
					"with --force it is all the same, and the journal says so")}
			}
			did("promote " + mesh + " " + policy + " by " + by + ": " + q.Reason)
			return nil
		},
		Demote: func(mesh, policy, by string, q RoleRequest) error {
			did("demote " + mesh + " " + policy + " by " + by + ": " + q.Reason)
			return nil
		},
		Explore: func(mesh, by string, q ExplorationRequest) error {
			if mesh != "shop" {
				return &Error{http.StatusConflict, errors.New("mesh books is not explored: exploring changes settings, and the authority is observe; set authority = \"act\" in [guard] of books.toml and reload")}
			}
			did(fmt.Sprintf("explore %s by %s: %d, %g", mesh, by, q.Intervals, q.Allowance))
			return nil
		},
		PauseExploration: func(mesh, by string) error {
			did("pause " + mesh + " by " + by)
			return nil
		},
		Reload: func(context.Context) error {
			did("reload")
			return nil
		},
		SetAuthority: func(_ context.Context, mesh, level, by string) error {
			if mesh != "shop" {
				return notFound("no mesh %q", mesh)
			}
			did(mesh + " " + level + " by " + by)
			return nil
		},
		Refuse: func(_ context.Context, plan, by string) error {
			did("refuse " + plan + " by " + by)
			return nil
		},
		Approve: func(_ context.Context, plan, by string) error {
			if plan == "broken" {
				return errors.New("the disk is full")
			}
			did(plan + " by " + by)
			return nil
		},
	}
}

func journalOf(t *testing.T, change policy.Change) string {
	t.Helper()
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	services := []policy.Service{{Name: "checkout", Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .05, Budget: .05, Margin: .1}}}}
	for i, body := range []any{
		journal.Intent{Cycle: 1, Authority: "act", Policy: "planner", PolicyRole: "active", Decision: &policy.Decision{Reason: "shed"}, Services: services, Knobs: []policy.Knob{{KnobID: change.KnobID, Service: "checkout", Max: 1}}, Plan: []policy.Change{change}, Act: true},
		journal.Outcome{Cycle: 1, Result: journal.ResultConverged},
		journal.Intent{Cycle: 2, Authority: "act", Hold: "no_data"},
	} {
		kind := journal.KindIntent
		if _, ok := body.(journal.Outcome); ok {
			kind = journal.KindOutcome
		}
		if _, err := j.Append(at.Add(time.Duration(i)*time.Second), "shop", kind, body, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start serves until the test ends. change may be nil.
func start(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	o := r.options()
	if change != nil {
		change(&o)
	}
	var err error
	if r.server, err = NewServer(o); err != nil {
		t.Fatal(err)
	}
	r.server.Start()
	t.Cleanup(func() {
		if err := r.server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// bySocket has the rig reach its server by the socket.
func (r *rig) bySocket() {
	r.url = "http://localhost"
	r.http.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", r.server.o.Socket)
	}}
}

// do sends a request with headers; Host and the user ("name:password") among them.
func (r *rig) do(method, path, body string, headers map[string]string) (int, string, http.Header) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, bytes.NewBufferString(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, v := range headers {
		switch name {
		case "Host":
			q.Host = v
		case "user":
			name, password, _ := bytes.Cut([]byte(v), []byte(":"))
			q.SetBasicAuth(string(name), string(password))
		default:
			q.Header.Set(name, v)
		}
	}
	a, err := r.http.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, string(b), a.Header
}

// sockets is a directory whose path is short enough for a socket.
func sockets(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// users writes a web configuration that lets ann in, with the password secret.
func users(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "web.yml"), "basic_auth_users:\n  ann: '"+string(hash)+"'\n")
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
