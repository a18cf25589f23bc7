package promotion_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// trained is the tabular policy of a dataset.
func trained(t *testing.T, name string, m *rules.Mesh, d *dataset.Dataset, seed uint64) candidate {
	t.Helper()
	x, err := train.EnumerateTabularAt(m, d, train.LoadGrid(d), model.TreeParamsFor(d.Rows()), "", seed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x.Table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := tabular.New()
	if err := p.Configure(t.Context(), policy.Config{Artefact: b}); err != nil {
		t.Fatal(err)
	}
	return candidate{name: name, policy: p, initial: x.Card.Initial}
}

// sabotages are the ways in which a model is made that nobody should believe.
var sabotages = []struct {
	name string
	of   func(t *testing.T, name string, g eval.Graph, m *rules.Mesh, seed uint64, rows int) candidate
}{
	{"shuffled labels", func(t *testing.T, name string, g eval.Graph, m *rules.Mesh, seed uint64, rows int) candidate {
		d := samples(t, g, m, seed, rows, present)
		order := rand.New(rand.NewPCG(seed, 3)).Perm(d.Rows())
		return trained(t, name, m, relabelled(d, func(i int) int { return order[i] }), seed)
	}},
	{"old capacity", func(t *testing.T, name string, g eval.Graph, m *rules.Mesh, seed uint64, rows int) candidate {
		return trained(t, name, m, samples(t, g, m, seed, rows, 1), seed)
	}},
	{"NaN region", func(t *testing.T, name string, g eval.Graph, m *rules.Mesh, seed uint64, rows int) candidate {
		c := trained(t, name, m, samples(t, g, m, seed, rows, present), seed)
		c.policy = partial{c.policy}
		return c
	}},
	{"leaking time", func(t *testing.T, name string, g eval.Graph, m *rules.Mesh, seed uint64, rows int) candidate {
		d := samples(t, g, m, seed, rows, present)
		return trained(t, name, m, relabelled(d, func(i int) int { return min(i+1, d.Rows()-1) }), seed)
	}},
}

// relabelled has in each row the latencies of another one.
func relabelled(d *dataset.Dataset, from func(int) int) *dataset.Dataset {
	for s, column := range d.Latency {
		other := make([]float64, len(column))
		for i := range column {
			other[i] = column[from(i)]
		}
		d.Latency[s] = other
	}
	return d
}

// partial predicts nothing usable where information has much load.
type partial struct{ policy.Policy }

func (p partial) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	d, err := p.Policy.Decide(ctx, o)
	if load, _ := o.State.Role("information", policy.RoleOffered).Get(); load > 30 {
		for i := range d.Expected {
			d.Expected[i].Value = math.NaN()
		}
	}
	return d, err
}

// sabotaged are so many of each kind.
func sabotaged(t *testing.T, g eval.Graph, m *rules.Mesh, each, rows int) (out []candidate) {
	for k, s := range sabotages {
		for n := range each {
			out = append(out, s.of(t, fmt.Sprintf("%s %d", s.name, n+1), g, m, 2000+uint64(100*k+n), rows))
		}
	}
	return out
}
