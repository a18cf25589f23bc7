package eval

import (
	"context"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// ControllerTrue is the full controller with the emulator's own mean latencies in place
// of a model: what it loses is not the model's.
const ControllerTrue = "true"

// trueLoads of each service are in the table of the mean latencies.
const trueLoads = 14

// trueTable has the mean latencies at one capacity, for every setting and for loads up
// to those of the growth.
func (e *emulation) trueTable(c *chances, capacity int) (*model.Table, error) {
	t := &model.Table{Knobs: e.knobs, Services: e.names, Signals: e.goal.Signals}
	for _, at := range e.wiring.services {
		r, loads := e.Graph.Loads[at], make([]float64, trueLoads)
		for i := range loads {
			loads[i] = r.Least + (growth*r.Most-r.Least)*float64(i)/(trueLoads-1)
		}
		t.Loads = append(t.Loads, loads)
	}
	grid, err := policy.Grid(e.knobs)
	if err != nil {
		return nil, err
	}
	routes := map[string]int{}
	for i, r := range c.routes {
		routes[key(r)] = i
	}
	admitted, of := make([][]float64, len(grid)), make([]int, len(grid))
	for i, a := range grid {
		admitted[i] = make([]float64, len(e.names))
		train.Admitted(admitted[i], e.knobs, e.names, a)
		route := a.Clone()
		for k := range route {
			if e.knobs[k].Kind == policy.Blocking {
				route[k].Value = 0
			}
		}
		of[i] = routes[key(route)]
	}
	loads, logs := make([]float64, len(e.names)), make([]float64, len(e.names))
	model.EachLoad(t.Loads, func(offered []float64) {
		for i := range grid {
			for s := range loads {
				loads[s], logs[s] = offered[s]*admitted[i][s], 0
			}
			cells := c.latency[capacity][of[i]]
			c.corners(loads, func(cell int, share float64) {
				for s, v := range cells[cell] {
					logs[s] += share * v
				}
			})
			for _, v := range logs {
				t.Values = append(t.Values, float32(math.Exp(v)))
			}
		}
	})
	return t, nil
}

// learnTruth is learn, with the tables of the mean latencies for the whole and for the
// faulty mesh. Its residuals are those of a sample of the whole one.
func (e *emulation) learnTruth(c *chances) (learnt, error) {
	whole, err := e.trueTable(c, wholeMesh)
	if err != nil {
		return learnt{}, err
	}
	faulty, err := e.trueTable(c, faultyMesh)
	if err != nil {
		return learnt{}, err
	}
	out := learnt{fits: make([]model.Fit, len(e.names))}
	if err := e.trueResiduals(whole, out.fits); err != nil {
		return learnt{}, err
	}
	for s, name := range e.names {
		fit := &out.fits[s]
		fit.Scale = margin.NewScale(fit.Predicted, fit.Residuals)
		whole.Scales, faulty.Scales = append(whole.Scales, fit.Scale), append(faulty.Scales, fit.Scale)
		r := e.Graph.Loads[e.wiring.services[s]]
		out.card.Services = append(out.card.Services, train.ServiceCard{
			Service: name, Signal: e.goal.Signals[s], Offered: model.Span{Min: r.Least, Max: r.Most},
			Spread: fit.Spread(),
		})
	}
	if out.artefact, err = whole.Encode(); err != nil {
		return learnt{}, err
	}
	out.faulty, err = faulty.Encode()
	return out, err
}

func (e *emulation) trueResiduals(t *model.Table, fits []model.Fit) error {
	d, err := e.sample(e.Seed)
	if err != nil {
		return err
	}
	grid, err := t.Actions()
	if err != nil {
		return err
	}
	index := map[string]int{}
	for i, a := range grid {
		index[key(policy.Quantise(a))] = i // as it is sampled
	}
	values, offered, predicted := make([]float64, len(e.knobs)), make([]float64, len(e.names)), make([]float64, len(e.names))
	var corners []model.Corner
	for row := range d.Rows() {
		for k := range values {
			values[k] = d.Settings[k][row]
		}
		action, ok := index[key(e.action(values))]
		for s := range offered {
			offered[s] = d.Offered[s][row]
			ok = ok && !math.IsNaN(offered[s])
		}
		if !ok {
			continue
		}
		corners, _ = t.Corners(corners, offered, len(grid))
		t.Predict(predicted, corners, action)
		for s := range fits {
			if v := d.Latency[s][row]; v > 0 {
				fits[s].Residuals = append(fits[s].Residuals, v/predicted[s]-1)
				fits[s].Predicted = append(fits[s].Predicted, predicted[s])
			}
		}
	}
	return nil
}

// truthful plans with one policy while a fault lasts, and with another one else.
type truthful struct {
	whole, faulty *tabular.Policy
	from, to      time.Time
}

var _ policy.Policy = (*truthful)(nil)

func (p *truthful) Describe(ctx context.Context) (policy.Description, error) {
	return p.whole.Describe(ctx)
}

func (p *truthful) Configure(ctx context.Context, c policy.Config) error {
	return p.whole.Configure(ctx, c)
}

// Decide knows what the mesh will be in the interval that begins.
func (p *truthful) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	if !o.At.Before(p.from) && o.At.Before(p.to) {
		return p.faulty.Decide(ctx, o)
	}
	return p.whole.Decide(ctx, o)
}

// truthful is the policy of the mean latencies for a scenario.
func (e *emulation) truthful(ctx context.Context, l learnt, s scenario) (policy.Policy, error) {
	from, to := s.span(PhaseFault)
	at := func(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }
	p := &truthful{whole: tabular.New(), faulty: tabular.New(), from: at(from), to: at(to)}
	if err := p.whole.Configure(ctx, policy.Config{Artefact: l.artefact}); err != nil {
		return nil, err
	}
	return p, p.faulty.Configure(ctx, policy.Config{Artefact: l.faulty})
}
