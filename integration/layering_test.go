package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/windvane/windvane/"

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,Deps,GoFiles", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

// forbidden says, for packages at or below a path, what may not be among their
// dependencies, and why.
var forbidden = []struct{ from, to, why string }{
	{"plugins/policy", module, "the contract is a leaf"},
	{"rules", module + "daemon", "rules are pure"},
	{"rules", module + "sim", "rules do not know how they are simulated"},
	{"rules/guard", "net", "the guard is pure"},
	{"rules/margin", "net", "the margin is pure"},
	{"rules/budget", "net", "the account of budgets is pure"},
	{"rules/budget", module, "an account knows neither rules nor daemon"},
	{"sim", module + "daemon", "the simulators never reach into the daemon"},
	{"sim/load", "net", "only sim/testbed may listen"},
	{"sim/emulator", "net", "only sim/testbed may listen"},
	{"sim/emulator", module + "sim/model", "the emulator is independent of the model"},
	{"sim/model", "net", "only sim/testbed may listen"},
	{"sim/env", "net", "only sim/testbed may listen"},
	{"sim/env", module + "rules", "a goal is handed to the simulator, which knows no file"},
	{"sim", module + "demo", "the demo shows what there is"},
	{"daemon", module + "demo", "the demo shows what there is"},
	{"sim", module + "station", "the simulators never reach into the daemon"},
	{"daemon", module + "station", "a station has a daemon"},
	{"station", module + "demo", "a station knows no story"},
	{"daemon", module + "sim/emulator", "production runs no emulator"},
	{"sim/eval/page", module, "a page knows nothing of what it shows"},
	{"sim/nn", module, "a network knows nothing of what it is for"},
	{"plugins/learned", module + "sim/train", "training stays out of what is served"},
	{"plugins/learned", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/rollout", module + "sim/train", "training stays out of what is served"},
	{"plugins/planning", module + "sim/env", "what is served plans with the model's inference alone"},
	{"plugins/planning", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/simserver", module + "daemon", "who trains needs no daemon"},
	{"plugins/training", module + "daemon", "who trains needs no daemon"},
	{"plugins/simclient", module + "sim", "a learner knows the wire alone"},
	{"plugins/rollout", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/explore", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/learned", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/search", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/threshold", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"plugins/tabular", module + "daemon", "policies know the contract and the rules' arithmetic"},
	{"daemon/observe", module + "daemon/", "the parts of a cycle never import each other"},
	{"daemon/journal", module + "daemon/", "the parts of a cycle never import each other"},
	{"daemon/actuate", module + "daemon/observe", "the parts of a cycle never import each other"},
	{"daemon/actuate", module + "daemon/journal", "the parts of a cycle never import each other"},
	{"daemon/loop", module + "daemon/actuate", "the loop knows an actuator by its interface"},
	{"daemon/approve", module + "daemon/", "a plan that waits does not know who applies it"},
	{"daemon/authority", module + "daemon/loop", "who allows what is not what is done"},
	{"daemon/promotion", module + "daemon/actuate", "who judges policies sets nothing"},
	{"daemon/promotion", module + "daemon/api", "who judges policies knows nobody who asks"},
	{"daemon/roles", module + "daemon/loop", "who has which role is not what is done with it"},
	{"daemon/probe", module + "daemon/", "who asks Prometheus does not judge"},
	{"daemon/doctor", module + "daemon/loop", "doctor looks, and runs nothing"},
	{"daemon/draft", module + "daemon/loop", "a draft is written, and runs nothing"},
	{"daemon/api", module + "daemon/actuate", "the HTTP surface acts through the functions that it is given"},
	{"daemon/explain", module + "daemon/observe/", "explain reads the journal and nothing else"},
}

// arithmetic on plain values is what a model needs to say how far it is off.
const arithmetic = module + "rules/margin"

func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func TestImportsPointOneWay(t *testing.T) {
	all := packages(t)
	if len(all) < 5 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	for _, p := range all {
		for _, rule := range forbidden {
			if !below(p.ImportPath, rule.from) {
				continue
			}
			for _, dep := range p.Deps {
				if dep == arithmetic && rule.to == module+"rules" {
					continue
				}
				bad := dep == rule.to || strings.HasPrefix(dep, strings.TrimSuffix(rule.to, "/")+"/")
				if bad && dep != module+p.ImportPath {
					t.Errorf("%s depends on %s: %s", p.ImportPath, dep, rule.why)
				}
			}
		}
	}
}

// The parser of PromQL depends on package net, so that a package which knows rules
// does too. What counts is who asks for the network itself.
func TestOnlyTheTestbedListens(t *testing.T) {
	for _, p := range packages(t) {
		if !below(p.ImportPath, "sim") || p.ImportPath == "sim/testbed" {
			continue
		}
		for _, dep := range p.Imports {
			if below(dep, "net") {
				t.Errorf("%s imports %s: only sim/testbed may listen", p.ImportPath, dep)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment that says what lives there", p.ImportPath)
		}
	}
}
