package roles

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// Declaration is a policy as the configuration declares it.
type Declaration struct {
	Name   string
	Role   rules.PolicyRole
	Digest string // of all that makes it the policy that it is
}

// Standing is the role of a policy, and who gave it.
type Standing struct {
	Role   rules.PolicyRole `json:"role"`
	Since  time.Time        `json:"since"`
	By     string           `json:"by,omitempty"` // the person; empty: the rules file
	Reason string           `json:"reason,omitempty"`
	Forced []string         `json:"forced,omitempty"` // why it would not have been promoted, had that not been forced
	Before string           `json:"before,omitempty"` // the policy that was active before it; empty: none was
	Canary bool             `json:"canary,omitempty"` // an active policy decides on trial, with smaller steps
	Of     string           `json:"of"`               // Declaration.Digest when it was said
}

// Canary is what an active policy is called that decides on trial.
const Canary = "canary"

// Text is the role for a person.
func (s Standing) Text() string {
	if s.Canary {
		return Canary
	}
	return string(s.Role)
}

// State is the roles of a mesh. The zero value is that of one of which nothing is known.
type State struct {
	Declared string               `json:"declared,omitempty"` // the policy that the rules file has active; empty: none
	Revision uint64               `json:"revision"`           // how often a person has said something: of two states the higher is the newer
	Policies map[string]Standing  `json:"policies"`
	Untold   []journal.RoleChange `json:"untold,omitempty"` // not in the journal yet, as far as is known
}

// Active is the name of the active policy; empty: none is.
func (s State) Active() string {
	for name, x := range s.Policies {
		if x.Role == rules.RoleActive {
			return name
		}
	}
	return ""
}

// Declare returns the state under what a configuration declares, with a remark for each thing
// said by a person that does not hold any more.
func (s State) Declare(policies []Declaration, at time.Time) (State, []string) {
	out := State{Revision: s.Revision, Policies: map[string]Standing{}, Untold: s.Untold}
	for _, d := range policies {
		if d.Role == rules.RoleActive {
			out.Declared = d.Name
		}
	}
	why := s.obsolete(policies, out.Declared)
	var remarks []string
	for _, d := range policies {
		x := s.Policies[d.Name]
		switch {
		case x.By != "" && why == "" && (x.Of == d.Digest || d.Role == rules.RoleActive):
			x.Of = d.Digest
		case x.By != "" || x.Role != d.Role || x.Of != d.Digest:
			x = Standing{Role: d.Role, Since: at, Of: d.Digest}
		}
		out.Policies[d.Name] = x
	}
	if why != "" {
		remarks = append(remarks, fmt.Sprintf("the roles of policies are those of the rules file again: %s", why))
	}
	return out, remarks
}

// obsolete says why nothing holds any more that persons have said; empty: it does, or
// nothing was said.
func (s State) obsolete(policies []Declaration, active string) string {
	name := s.Active()
	x := s.Policies[name]
	if x.By == "" && !slices.ContainsFunc(slices.Collect(maps.Values(s.Policies)), func(x Standing) bool { return x.By != "" }) {
		return ""
	}
	i := slices.IndexFunc(policies, func(d Declaration) bool { return d.Name == name })
	switch {
	case active != s.Declared && active == "":
		return fmt.Sprintf("it declared %s as active, and now none", s.Declared)
	case active != s.Declared:
		return fmt.Sprintf("it declares %s as active now", active)
	case x.By == "":
		return ""
	case i < 0:
		return fmt.Sprintf("%s, which %s had active, is not declared any more", name, x.By)
	case policies[i].Digest != x.Of && policies[i].Role != rules.RoleActive:
		return fmt.Sprintf("%s, which %s had active, is another policy now: its artefact, settings, plugin or role was changed in the files", name, x.By)
	}
	return ""
}

// Word is who says something, when and why.
type Word struct {
	By     string
	Reason string
	At     time.Time
	Forced []string // the refusals that are overridden
}

// Promote returns the state in which a policy decides as a canary, and the one that was active is
// retired; or in which a canary is active for good.
func (s State) Promote(name string, w Word) (State, error) {
	x, ok := s.Policies[name]
	switch {
	case !ok:
		return s, s.unknown(name)
	case x.Canary:
		out := s.with(journal.RoleChange{Command: journal.CommandPromote, Policy: name, Was: name, Active: name}, w)
		x.Canary, x.Since, x.By, x.Reason, x.Forced = false, w.At, w.By, w.Reason, w.Forced
		out.Policies[name] = x
		return out, nil
	case x.Role == rules.RoleActive:
		return s, &RefusedError{fmt.Sprintf("policy %s is active already, since %s", name, x.Since.Format(time.RFC3339))}
	case x.Role == rules.RoleFallback:
		return s, &RefusedError{fmt.Sprintf("policy %s is the fallback, which has to be there when the active policy does not answer; "+
			"declare it a second time, under another name and as a candidate, to promote that", name)}
	}
	was := s.Active()
	out := s.with(journal.RoleChange{Command: journal.CommandPromote, Policy: name, Was: was, Active: name, Canary: true}, w)
	if was != "" {
		out.retire(was, w, fmt.Sprintf("%s was promoted: %s", name, w.Reason))
	}
	out.Policies[name] = Standing{Role: rules.RoleActive, Since: w.At, By: w.By, Reason: w.Reason, Forced: w.Forced, Before: was, Canary: true, Of: x.Of}
	return out, nil
}

// Demote returns the state in which the active policy is retired, and the one that it took
// the place of is active again.
func (s State) Demote(name string, w Word) (State, error) {
	x, ok := s.Policies[name]
	switch {
	case !ok:
		return s, s.unknown(name)
	case x.Role != rules.RoleActive:
		return s, &RefusedError{fmt.Sprintf("policy %s is %s, and only the active one can be demoted; change its role in the rules file and reload to use it for something else", name, x.Role)}
	case x.Before == "" && s.Declared != "":
		return s, &RefusedError{fmt.Sprintf("policy %s has taken no other's place that could be given back; promote another, or stop windvane with `windvane mode MESH observe`", name)}
	}
	back, ok := s.Policies[x.Before]
	if x.Before != "" && !ok {
		return s, &RefusedError{fmt.Sprintf("policy %s took the place of %s, which is not declared any more; promote another", name, x.Before)}
	}
	out := s.with(journal.RoleChange{Command: journal.CommandDemote, Policy: name, Was: name, Active: x.Before}, w)
	out.retire(name, w, w.Reason)
	if x.Before != "" {
		out.Policies[x.Before] = Standing{
			Role: rules.RoleActive, Since: w.At, By: w.By, Reason: fmt.Sprintf("%s was demoted: %s", name, w.Reason), Before: back.Before, Of: back.Of,
		}
	}
	return out, nil
}

// with is a copy to which somebody has said something.
func (s State) with(c journal.RoleChange, w Word) State {
	c.At, c.By, c.Reason, c.Forced = w.At, w.By, w.Reason, w.Forced
	s.Revision++
	s.Policies = maps.Clone(s.Policies)
	s.Untold = append(slices.Clone(s.Untold), c)
	return s
}

// retire has a policy not decide any more. It remembers whose place it had taken.
func (s State) retire(name string, w Word, reason string) {
	x := s.Policies[name]
	s.Policies[name] = Standing{Role: rules.RoleRetired, Since: w.At, By: w.By, Reason: reason, Before: x.Before, Of: x.Of}
}

func (s State) unknown(name string) error {
	return &UnknownError{Policy: name, Hint: rules.Suggest(name, slices.Sorted(maps.Keys(s.Policies)))}
}

// RefusedError says why a role cannot be given.
type RefusedError struct{ Why string }

// Error is that.
func (e *RefusedError) Error() string { return e.Why }

// UnknownError says that a mesh declares no such policy.
type UnknownError struct{ Policy, Hint string }

// Error names it, and who else there is.
func (e *UnknownError) Error() string {
	hint := "`windvane policy list` lists them"
	if e.Hint != "" {
		hint = e.Hint
	}
	return fmt.Sprintf("no policy %q is declared; %s", e.Policy, hint)
}
