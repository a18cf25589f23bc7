package station

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/testbed"
)

// policyName is the active policy's, and its plugin's.
const policyName = "planner"

// pluginText are the [plugin] tables for a run. The deadline is far away: time is
// virtual, and no slow machine shall change a result.
func pluginText(builtin string) string {
	return fmt.Sprintf(`
[plugin.%s]
builtin = %q
deadline = "2m"
`, policyName, builtin)
}

// accountWindow of the objectives is longer than any run: the account has all of it.
const accountWindow = "30d"

// rulesFor returns the rules file of a run: the given one with the run's error budgets,
// the authority to act, and the run's policy, whose artefact is named relative to the file.
func rulesFor(text []byte, r eval.DaemonRun, artefact string) ([]byte, error) {
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	for _, s := range tables(doc["service"]) {
		for _, o := range tables(s["objective"]) {
			service, signal := fmt.Sprint(s["name"]), fmt.Sprint(o["signal"])
			target, err := targetOf(r.Loop.Mesh, service, signal)
			if err != nil {
				return nil, err
			}
			o["target"], o["window"] = target, accountWindow
		}
	}
	guard, ok := doc["guard"].(map[string]any)
	if !ok {
		guard = map[string]any{}
		doc["guard"] = guard
	}
	guard["authority"], guard["max_step"] = string(rules.AuthorityAct), r.Loop.Mesh.Guard.MaxStep
	active := map[string]any{"name": policyName, "plugin": policyName, "role": string(rules.RoleActive), "artefact": artefact}
	if r.Settings != "" {
		settings, err := settingsOf(r.Settings)
		if err != nil {
			return nil, err
		}
		active["settings"] = settings
	}
	doc["prometheus"], doc["policy"] = "main", []map[string]any{active}
	var out bytes.Buffer
	if err := toml.NewEncoder(&out).Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// tables are those of an array of tables; none for anything else, which the parser of
// rules has refused.
func tables(v any) []map[string]any {
	out, _ := v.([]map[string]any)
	return out
}

func targetOf(m *rules.Mesh, service, signal string) (float64, error) {
	for _, s := range m.Services {
		for _, o := range s.Objectives {
			if s.Name == service && o.Signal == signal && o.Shared == "" {
				return o.Target, nil
			}
		}
	}
	return 0, fmt.Errorf("service %s: an objective of %s that the daemon is to be judged by needs the name of a signal and a budget of its own", service, signal)
}

// settingsOf reads a policy's settings, with whole numbers as such.
func settingsOf(text string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("settings of the policy: %w", err)
	}
	for k, v := range out {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		if whole, err := n.Int64(); err == nil {
			out[k] = whole
		} else if out[k], err = n.Float64(); err != nil {
			return nil, fmt.Errorf("settings of the policy: %s: %w", k, err)
		}
	}
	return out, nil
}

// objectOf is the name of the VirtualService that has all the routes of a mesh: a testbed
// has no other.
func objectOf(m *rules.Mesh) (string, error) {
	names := map[string]bool{}
	for _, s := range m.Services {
		for _, r := range s.Routes {
			names[r.VirtualService] = true
			if r.HTTP != s.Name {
				return "", fmt.Errorf("station: %s: service %s: route %q: the emulated mesh names the route of a service after it", m.File, s.Name, r.HTTP)
			}
		}
	}
	for name := range names {
		object, ok := strings.CutPrefix(name, testbed.Namespace+"/")
		if ok && len(names) == 1 {
			return object, nil
		}
	}
	return "", errors.New("station: " + m.File + ": the emulated mesh has one VirtualService, in namespace " + testbed.Namespace + ", with the routes of all services: name it for each of them")
}
