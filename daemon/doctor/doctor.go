// Package doctor looks at everything around the daemon that has to be right before it may
// be trusted with a mesh, and says what is wrong and what to do about it.
//
// One file has one check. Every check ends in findings; what cannot be found out is
// unknown, never ok, and never keeps the other checks from being made: without Prometheus
// those of the cluster still run, and the other way round. Nothing is written anywhere:
// permissions are asked for by SelfSubjectAccessReview, a POST that stores nothing.
//
// What lives here is the asking and the judging. What a value is belongs to daemon/observe,
// what a route is to daemon/actuate/istio: the checks use these, so that they see what the
// daemon would see.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/rules"
)

// Status is how it stands with what was looked at.
type Status string

// The statuses, worst first.
const (
	Problem Status = "problem" // windvane cannot do what the files say
	Warning Status = "warning" // it can, but worse than it could
	Unknown Status = "unknown" // it could not be found out
	OK      Status = "ok"
)

// Finding is what one check found about one object.
type Finding struct {
	Mesh   string `json:"mesh,omitempty"` // empty: of the daemon as a whole
	Check  string `json:"check"`
	Object string `json:"object"`
	Status Status `json:"status"`
	What   string `json:"what"`
	Do     string `json:"do,omitempty"` // what to do; may have several lines
}

// Mesh is a mesh with what the daemon would observe and set it by.
type Mesh struct {
	Rules    *rules.Mesh
	Observer *observe.Observer
	Routes   *istio.Actuator
	Replicas *kube.Actuator
}

// Source is a Prometheus.
type Source struct {
	API probe.API // nil with Err
	Err error     // why there is no client
}

// Options are what is looked at.
type Options struct {
	Config           *config.Config
	Meshes           []Mesh
	Sources          map[string]Source // by name
	Cluster          rest.Interface    // nil with ClusterErr
	ClusterErr       error             // why there is no client
	JournalDirectory string
	RuntimeDirectory string        // empty: none is set
	Timeout          time.Duration // of each question
	Now              func() time.Time

	ArtefactDirectory string
}

// Examine runs every check.
func Examine(ctx context.Context, o Options) Report {
	e := &examination{o: o, sources: map[string]*source{}, sampling: map[string]sampled{}, bounds: map[string]histogram{}}
	e.configuration()
	e.plugins()
	e.state()
	e.artefacts()
	for _, p := range o.Config.Prometheus {
		e.prometheus(ctx, p)
	}
	e.apiServer(ctx)
	e.lease(ctx)
	for _, m := range o.Meshes {
		e.queries(ctx, m)
		e.lookBack(ctx, m)
		e.buckets(ctx, m)
		e.permissions(ctx, m)
		e.objects(ctx, m)
	}
	return Report{Findings: e.findings}
}

// examination is one run.
type examination struct {
	o        Options
	findings []Finding
	sources  map[string]*source   // by name
	cluster  bool                 // the API server answers
	sampling map[string]sampled   // by source and metric
	bounds   map[string]histogram // by source and selector
}

// source is what became of a Prometheus.
type source struct {
	api      probe.API
	answers  bool
	recorded probe.Recorded
	rulesErr error // the recording rules are unknown
	late     int   // questions that it did not answer in time
}

// mostLate bounds how often a source is waited for in vain.
const mostLate = 3

// errLate is the answer to what is not asked any more.
var errLate = errors.New("not asked: it did not answer earlier questions in time")

func (e *examination) add(f Finding) { e.findings = append(e.findings, f) }

// about returns a function that adds findings of a check of a mesh.
func (e *examination) about(mesh, check string) func(object string, s Status, what, do string) {
	return func(object string, s Status, what, do string) {
		e.add(Finding{Mesh: mesh, Check: check, Object: object, Status: s, What: what, Do: do})
	}
}

// ask gives f as long as one question may take.
func (e *examination) ask(ctx context.Context, f func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	f(ctx)
}

// askSource asks a source, unless it was waited for too often.
func (e *examination) askSource(ctx context.Context, s *source, f func(ctx context.Context) error) error {
	if s.late >= mostLate {
		return errLate
	}
	var err error
	e.ask(ctx, func(ctx context.Context) { err = f(ctx) })
	if errors.Is(err, context.DeadlineExceeded) {
		s.late++
	}
	return err
}

// writes reports whether windvane may set anything of the mesh.
func writes(m *rules.Mesh) bool { return m.Guard.Authority != rules.AuthorityObserve }

// matters is the status of what keeps windvane from setting something.
func matters(m *rules.Mesh) Status {
	if writes(m) {
		return Problem
	}
	return Warning
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
