package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// policies is what the subcommands of `policy` share.
type policies struct {
	client *client
	mesh   string // empty: all, or the one that has the policy
	stdout io.Writer
}

// addPolicy adds `policy`.
func addPolicy(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("policy", "The policies of each mesh and their roles, and which of them decides.")
	begin := func(name, help string) (*kingpin.CmdClause, *policies) {
		sub := c.Command(name, help)
		p := &policies{client: addClient(sub), stdout: stdout}
		sub.Flag("mesh", "Of this mesh; left out where one mesh alone has the policy.").StringVar(&p.mesh)
		return sub, p
	}
	list, all := begin("list", "List them: role, since when, artefact and what it was trained on, state, and how often a shadow wants what the active one does.")
	asJSON := list.Flag("json", "Print JSON.").Bool()
	commands["policy list"] = func() error { return all.list(*asJSON) }

	inspect, one := begin("inspect", "Show all that is known of one: what its artefact learned, and what speaks against promoting it.")
	name := inspect.Arg("name", "The policy.").Required().String()
	detailJSON := inspect.Flag("json", "Print JSON.").Bool()
	commands["policy inspect"] = func() error { return one.inspect(*name, *detailJSON) }

	addRole(begin, commands)
}

// find returns the policies of the chosen mesh, or of all.
func (p *policies) find() ([]api.Policy, error) {
	path := "/api/v1/policies"
	if p.mesh != "" {
		path += "?" + url.Values{"mesh": {p.mesh}}.Encode()
	}
	var out []api.Policy
	return out, p.client.get(path, &out)
}

// path is that of a policy in the API.
func (p *policies) path(name string) (string, error) {
	all, err := p.find()
	if err != nil {
		return "", err
	}
	var meshes, known []string
	undeclared := false
	for _, x := range all {
		if x.Declared == "" {
			undeclared = undeclared || x.Name == name
			continue
		}
		known = append(known, x.Name)
		if x.Name == name {
			meshes = append(meshes, x.Mesh)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	switch {
	case len(meshes) == 0 && undeclared:
		return "", usageError{fmt.Errorf("policy %q is the fallback without being declared; declare it in a [[policy]] of the rules file, under another name, for another role", name)}
	case len(meshes) == 0:
		return "", usageError{fmt.Errorf("no policy %q is declared; %s", name, rules.Suggest(name, known))}
	case len(meshes) > 1:
		return "", usageError{fmt.Errorf("policy %s is declared in meshes %s: say which, with --mesh", name, strings.Join(meshes, " and "))}
	}
	return "/api/v1/meshes/" + url.PathEscape(meshes[0]) + "/policies/" + url.PathEscape(name), nil
}

func (p *policies) list(asJSON bool) error {
	all, err := p.find()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, all)
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "MESH\tPOLICY\tROLE\tSINCE\tKIND\tARTEFACT\tTRAINED\tSTATE\tAGREED")
	for _, x := range all {
		artefact, trained, agrees := "-", "-", "-"
		if x.Trained != nil {
			artefact, trained = x.Trained.ID, trainedText(*x.Trained)
		}
		if a := x.Agrees; a != nil {
			agrees = fmt.Sprintf("%.0f%% of %d cycles", 100*float64(a.Same)/float64(a.Cycles), a.Cycles)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Mesh, x.Name, x.Role, timeText(x.Since), x.Kind, artefact, trained, x.Word(), agrees)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var lines strings.Builder
	for _, x := range all {
		if len(x.Gate) > 1 { // one alone says that it is not asked
			_, _ = fmt.Fprintf(&lines, "the gate of %s of %s: %s\n", x.Name, x.Mesh, gateText(x.Gate))
		}
		if x.By != "" {
			_, _ = fmt.Fprintf(&lines, "%s of %s is %s by %s: %s\n", x.Name, x.Mesh, x.Role, x.By, x.Reason)
		}
		if x.Plugin != nil && !x.Plugin.Up {
			_, _ = fmt.Fprintf(&lines, "the plugin of %s of %s is %s\n", x.Name, x.Mesh, x.State())
		}
	}
	_, err = io.WriteString(p.stdout, lines.String())
	return err
}

func trainedText(t api.Trained) string {
	return fmt.Sprintf("%s on %d rows", timeText(t.Written), t.Rows)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func (p *policies) inspect(name string, asJSON bool) error {
	path, err := p.path(name)
	if err != nil {
		return err
	}
	var x api.PolicyDetail
	if err := p.client.get(path, &x); err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.stdout, x)
	}
	return p.describe(x)
}

// describe says for a person what a policy is.
func (p *policies) describe(x api.PolicyDetail) error {
	var errs []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(p.stdout, format+"\n", args...)
		errs = append(errs, err)
	}
	line("policy %s of mesh %s: %s since %s", x.Name, x.Mesh, x.Role, timeText(x.Since))
	if x.By != "" {
		line("  by %s: %s", x.By, x.Reason)
	}
	if len(x.Forced) > 0 {
		line("  forced, in spite of %s", strings.Join(x.Forced, ", "))
	}
	if x.Declared != x.Role {
		line("  the rules file has it as %s", x.Declared)
	}
	line("  %s, %s", x.Kind, x.State())
	if len(x.Settings) > 0 {
		line("  settings %s", x.Settings)
	}
	if a := x.Agrees; a != nil {
		line("  wanted what the active policy did in %d of %d cycles", a.Same, a.Cycles)
	}
	if len(x.Card) > 0 {
		var card train.Card
		if err := json.Unmarshal(x.Card, &card); err != nil {
			return fmt.Errorf("the card of its artefact: %w", err)
		}
		line("")
		errs = append(errs, describe(p.stdout, card, x.Artefact))
		line("written %s, seed %d, dataset %s", timeText(x.Trained.Written), card.Seed, short(card.Data.SHA256))
	}
	p.gap(line, x.Gap)
	p.gate(line, x.Gate)
	line("")
	switch {
	case x.Role == string(rules.RoleActive) || x.Role == string(rules.RoleFallback):
	case len(x.Refusals) == 0:
		line("nothing speaks against `windvane policy promote %s`", x.Name)
	default:
		line("it would not be promoted now:")
	}
	for _, r := range x.Refusals {
		line("  %s: %s", r.Code, r.Why)
	}
	return errors.Join(errs...)
}

// gateText is the state of each item, in a line.
func gateText(items []api.GateItem) string {
	var out []string
	for _, i := range items {
		out = append(out, i.Item+" "+strings.ReplaceAll(i.State, "_", " "))
	}
	return strings.Join(out, ", ")
}

// gate says item by item what a policy has shown.
func (p *policies) gate(line func(string, ...any), items []api.GateItem) {
	if len(items) == 0 {
		return
	}
	line("")
	line("what it has to show before it is promoted:")
	for _, i := range items {
		line("  %-10s  %-15s  %s", i.Item, strings.ReplaceAll(i.State, "_", " "), i.Why)
		if i.Needs != "" {
			line("  %-10s  %-15s  needs %s", "", "", i.Needs)
		}
	}
}

// gap says how far the model of the policy that decides is off.
func (p *policies) gap(line func(string, ...any), regions []api.ModelGap) {
	if len(regions) == 0 {
		return
	}
	figure := func(v *float64) string {
		if v == nil {
			return "not known"
		}
		return fmt.Sprintf("%+.1f %%", 100**v)
	}
	line("")
	line("what is measured against what its model predicts, by region of the settings:")
	for _, r := range regions {
		line("  %s of %s, %s, %d intervals: median %s, upper %s; carried %s; violated %s", r.Signal, r.Service, r.Region, r.Intervals,
			figure(r.Median), figure(r.Upper), figure(r.Carried), figure(r.Violated))
	}
}

// short is the beginning of a digest, as it is in names.
func short(digest string) string {
	if digest == "" {
		return "not known"
	}
	return digest[:min(12, len(digest))]
}
