package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/promise"
	"github.com/windvane/windvane/sim/train"
)

// Promise says what a service's promise costs at the load of the last cycle, by the table of the
// active policy or, if that has none, of another one that the mesh declares.
func (d *Daemon) Promise(mesh, service string) (*api.Promise, error) {
	m, err := d.mesh(mesh)
	if err != nil {
		return nil, err
	}
	report := m.last.Load()
	if report == nil {
		return nil, conflict("mesh %s has had no cycle yet, so that its load is not known", mesh)
	}
	x, table, err := m.table()
	if err != nil {
		return nil, err
	}
	goal, err := train.NewGoal(m.rules, table.Services)
	if err != nil {
		return nil, conflict("%w", err)
	}
	at := slices.Index(table.Services, service)
	if at < 0 {
		return nil, &api.Error{Code: http.StatusNotFound, Err: fmt.Errorf("mesh %s has no service %q; /api/v1/meshes/%s lists them: %w", mesh, service, mesh, explain.ErrNotFound)}
	}
	q := promise.Question{
		Goal: goal, Table: table, Service: at, Services: report.Intent.Services, Configurations: x.artefact.Card.Data.Configurations,
	}
	for _, name := range table.Services {
		v, ok := report.Intent.State.Role(name, policy.RoleOffered).Get()
		if !ok {
			return nil, conflict("the offered load of service %s is not known at this moment", name)
		}
		q.Offered = append(q.Offered, v)
	}
	return answerPromise(q, x, report)
}

func answerPromise(q promise.Question, x *declared, report *loop.Report) (*api.Promise, error) {
	out := &api.Promise{
		Mesh: report.Mesh, Service: q.Table.Services[q.Service], At: report.At, Signal: q.Goal.Signals[q.Service], Policy: x.Name, Artefact: x.artefact.Name(),
		Bound: q.Goal.Bound[q.Service], Target: 1 - q.Goal.Budget[q.Service], Offered: q.Offered[q.Service], Configurations: q.Configurations,
	}
	var err error
	if out.Points, out.Supported, err = promise.Frontier(q); err != nil {
		return nil, conflict("service %s: %w", out.Service, err)
	}
	out.Carried = known(report.Intent.State.Role(out.Service, policy.RoleCarried).Get())
	carried := 0.0
	out.CarriedAll = &carried
	for i, name := range q.Table.Services {
		out.OfferedAll += q.Offered[i]
		if v, ok := report.Intent.State.Role(name, policy.RoleCarried).Get(); ok {
			carried += v
		} else {
			out.CarriedAll = nil
		}
	}
	if e := entry(report.Control, out.Service, out.Signal); e.Intervals > 0 {
		out.Kept = known(1-e.Spent/float64(e.Intervals), true)
	}
	if live, err := promise.Live(q, report.Intent.Live); err == nil {
		out.Expected = &live
	}
	return out, nil
}

// table finds a policy that decides with one, the active one before others, and reads it again
// from disk.
func (m *mesh) table() (*declared, *model.Table, error) {
	var found *declared
	for _, x := range m.policies.declared {
		if x.artefact == nil || x.artefact.Card.Policy != "tabular" && x.artefact.Card.Policy != "rollout" {
			continue
		}
		if found == nil || m.standing(x.PolicyRef).Role == rules.RoleActive {
			found = x
		}
	}
	if found == nil {
		return nil, nil, conflict("mesh %s declares no policy with a table of predictions, which `windvane train` makes: what a promise costs is read off it", m.rules.Name)
	}
	a, err := train.Read(found.path)
	if err != nil {
		return nil, nil, conflict("%w", err)
	}
	t, err := model.DecodeTable(a.Policy)
	if err != nil {
		return nil, nil, conflict("%w", err)
	}
	return found, t, nil
}

func conflict(format string, args ...any) error {
	return &api.Error{Code: http.StatusConflict, Err: fmt.Errorf(format, args...)}
}

// promised gives Promise's errors their codes.
func (d *Daemon) promised(mesh, service string) (*api.Promise, error) {
	out, err := d.Promise(mesh, service)
	if _, ok := errors.AsType[*api.Error](err); !ok {
		err = coded(err)
	}
	return out, err
}
