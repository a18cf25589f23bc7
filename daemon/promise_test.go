package daemon_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// scattered is an artefact whose predictions are off by a fifth at most.
func (r *rig) scattered() string {
	r.t.Helper()
	a, err := train.Read(r.artefact())
	if err != nil {
		r.t.Fatal(err)
	}
	table, err := model.DecodeTable(a.Policy)
	if err != nil {
		r.t.Fatal(err)
	}
	for range table.Services {
		table.Residuals = append(table.Residuals, []float64{-.2, -.1, -.05, 0, 0, .05, .1, .2})
	}
	b, err := table.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	a.Card.Data.Configurations = 300
	dir, err := train.Write(r.dir+"/artefacts", a.Card, b, []byte("no model"))
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

func TestPriceOfAPromise(t *testing.T) {
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerActive, "%s", r.scattered(), 1))
	r.start()
	const path = "/api/v1/meshes/shop/services/compute/promise"
	var refused api.ErrorAnswer
	if code := r.ask(http.MethodGet, path, "", &refused); code != http.StatusConflict || !strings.Contains(refused.Error, "no cycle yet") {
		t.Errorf("before the first cycle: %d %s", code, refused.Error)
	}
	r.run(6)
	var p api.Promise
	if code := r.ask(http.MethodGet, path, "", &p); code != http.StatusOK {
		t.Fatalf("%d", code)
	}
	if p.Bound != .3 || p.Target != .95 || p.Offered <= 0 || p.Carried == nil || p.CarriedAll == nil || *p.CarriedAll < *p.Carried || p.OfferedAll <= p.Offered || p.Kept == nil || p.Policy != "planner" || !p.Supported || p.Expected == nil || len(p.Points) == 0 {
		t.Errorf("%+v", p)
	}
	for i := 1; i < len(p.Points); i++ {
		if a, b := p.Points[i-1].All, p.Points[i].All; b != nil && (a == nil || *b > *a+1e-9) {
			t.Errorf("%+v carries more than %+v", p.Points[i], p.Points[i-1])
		}
	}
	if code := r.ask(http.MethodGet, "/api/v1/meshes/shop/services/nothing/promise", "", &refused); code != http.StatusNotFound {
		t.Errorf("an unknown service: %d", code)
	}
	if code := r.ask(http.MethodGet, "/api/v1/meshes/nothing/services/compute/promise", "", &refused); code != http.StatusNotFound {
		t.Errorf("an unknown mesh: %d", code)
	}
	r.rules("act", thresholdActive)
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(2)
	if code := r.ask(http.MethodGet, path, "", &refused); code != http.StatusConflict || !strings.Contains(refused.Error, "windvane train") {
		t.Errorf("without a model: %d %s", code, refused.Error)
	}
}

// A plan that a person refuses is gone, is told of, and is not made again.
func TestRefusedPlan(t *testing.T) {
	r := newRig(t, "approve", thresholdActive)
	r.start()
	for n := 0; len(r.daemon.Plans()) == 0; n++ {
		if n == 20 {
			t.Fatal("no plan waits")
		}
		r.run(1)
	}
	id := r.daemon.Plans()[0].ID
	var done api.Done
	if code := r.ask(http.MethodPost, "/api/v1/plans/"+id+"/refuse", "", &done); code != http.StatusOK || done.By == "" {
		t.Fatalf("%d %+v", code, done)
	}
	reports := r.run(1)
	if i := reports[0].Intent; !strings.Contains(i.Superseded, id) || !strings.Contains(i.Superseded, "refused by") || i.Act || i.Authority != string(rules.AuthorityApprove) {
		t.Errorf("the next cycle says %q, acts %v", i.Superseded, i.Act)
	}
	for _, p := range r.daemon.Plans() {
		if p.ID == id {
			t.Error("it still waits")
		}
	}
	if _, ok := errors.AsType[*approve.UnknownError](r.daemon.Refuse(t.Context(), id, "alice")); !ok {
		t.Error("it is refused twice")
	}
}
