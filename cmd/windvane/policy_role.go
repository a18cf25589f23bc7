package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
)

// addRole adds `policy promote` and `policy demote`.
func addRole(begin func(name, help string) (*kingpin.CmdClause, *policies), commands map[string]func() error) {
	for _, command := range []struct{ name, help string }{
		{"promote", "Have a policy that the rules file declares decide from the next cycle on; the one that did is retired. It holds over restarts."},
		{"demote", "Take that back: the policy is retired from the next cycle on, and the one whose place it took decides again."},
	} {
		c, p := begin(command.name, command.help)
		name := c.Arg("name", "The policy.").Required().String()
		var q api.RoleRequest
		c.Flag("reason", "Why, for the journal.").Required().StringVar(&q.Reason)
		if command.name == "promote" {
			c.Flag("force", "In spite of what speaks against it; the journal has what that was.").BoolVar(&q.Force)
		}
		commands["policy "+command.name] = func() error { return p.change(command.name, *name, q) }
	}
}

func (p *policies) change(command, name string, q api.RoleRequest) error {
	if strings.TrimSpace(q.Reason) == "" {
		return usageError{fmt.Errorf("policy %s: --reason is empty; say why, for whoever reads the journal", command)}
	}
	path, err := p.path(name)
	if err != nil {
		return err
	}
	if err := p.client.do(http.MethodPost, path+"/"+command, q, nil); err != nil {
		return err
	}
	var x api.PolicyDetail
	if err := p.client.get(path, &x); err != nil {
		return fmt.Errorf("it was done; what is in force now is not known: %w", err)
	}
	if _, err := fmt.Fprintf(p.stdout, "policy %s of mesh %s is %s from the next cycle on\n", x.Name, x.Mesh, x.Role); err != nil {
		return err
	}
	p.mesh = x.Mesh
	return p.list(false)
}
