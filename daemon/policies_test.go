package daemon_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/train"
)

// searched trains the search policy on rows that know how the shop answers, and returns
// the artefact's directory.
func (r *rig) searched() string {
	r.t.Helper()
	m, err := rules.Load(r.dir + "/rules.d/shop.toml")
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []policy.KnobID
	for _, k := range m.Knobs() {
		ids = append(ids, k.KnobID)
	}
	grid, err := policy.Grid(m.Knobs())
	if err != nil {
		r.t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	d := dataset.New(m.Name, 5, ids, []string{"compute", "information"})
	for range 1500 {
		a, offered := grid[rng.IntN(len(grid))], []float64{1 + 59*rng.Float64(), 1 + 59*rng.Float64()}
		row := dataset.Row{Offered: offered, Carried: offered}
		for _, s := range a {
			row.Settings = append(row.Settings, s.Value)
		}
		seconds := float64(predicted(a, offered[0], offered[1]))
		row.Latency = []float64{seconds, seconds}
		if err := d.Append(row); err != nil {
			r.t.Fatal(err)
		}
	}
	trained, err := train.FitSearched(m, d, "", 1)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := trained.Model.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	dir, err := train.Write(r.dir+"/artefacts", trained.Card, b, b)
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

func (r *rig) builtin(name string) {
	r.write("windvane.toml", strings.Replace(readFile(r.t, r.dir+"/windvane.toml"), `builtin = "tabular"`, `builtin = "`+name+`"`, 1))
}

// What `windvane train` makes for search and rollout is what their plugins decide with.
func TestEveryPlannerDecidesWithItsArtefact(t *testing.T) {
	for name, artefact := range map[string]func(r *rig) string{"search": (*rig).searched, "rollout": (*rig).artefact} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "act", "")
			r.builtin(name)
			r.rules("act", strings.Replace(plannerActive, "%s", artefact(r), 1))
			r.start()
			acted := r.run(8)
			last := acted[len(acted)-1]
			if last.Intent.Policy != "planner" || last.Intent.PolicyRole != journal.RoleActive {
				t.Fatalf("policy %q (%s) decides, want the planner; log:\n%s", last.Intent.Policy, last.Intent.FallbackReason, r.log)
			}
			if last.Control[0].Counted == 0 {
				t.Error("no interval of the planner moved the debt")
			}
		})
	}
}

// A built-in policy that has no artefact, or another's, is an error before anything starts.
func TestArtefactsOfOthersAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ builtin, policies, want string }{
		"another's": {"search", plannerActive, `policy planner: its artefact is of policy "tabular", and the plugin has builtin = "search"; ` + "`windvane train --policy search` makes one"},
		"none":      {"rollout", strings.Replace(plannerActive, "artefact = \"%s\"\n", "", 1), `policy planner: builtin = "rollout" decides with a trained artefact, and none is named`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "act", "")
			r.builtin(c.builtin)
			r.rules("act", strings.Replace(c.policies, "%s", r.artefact(), 1))
			_, err := daemon.New(t.Context(), daemon.Options{ConfigFile: filepath.Join(r.dir, "windvane.toml")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}
