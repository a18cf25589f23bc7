package api

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/plugins/policy"
)

// wordsLimit bounds the settings that a sentence names.
const wordsLimit = 3

// Say says in a sentence what is done with the mesh now, and why.
func (m *Mesh) Say() string {
	if m.At == nil {
		return "There was no cycle yet."
	}
	out := m.what()
	if m.Reason != "" && m.Hold == "" {
		out += ": " + m.Reason
	}
	if m.FallbackReason != "" {
		out += "; the active policy did not decide: " + m.FallbackReason
	}
	if m.Frozen != "" && m.Hold == "" {
		out += "; only raising blocking is admitted: " + m.Frozen
	}
	return strings.ToUpper(out[:1]) + strings.TrimSuffix(out[1:], ".") + "."
}

func (m *Mesh) what() string {
	who := "windvane"
	if m.Policy != "" {
		who = "policy " + m.Policy
	}
	changes := settingsText(m.Plan)
	switch {
	case m.Hold != "":
		code, _, _ := strings.Cut(m.Hold, " ") // a detail may be behind it
		return "held: " + explain.HoldText(code)
	case m.Pending != nil && m.Pending.Approved != "":
		return fmt.Sprintf("plan %s, approved by %s, is applied by the next cycle that admits it", m.Pending.ID, m.Pending.Approved)
	case m.Pending != nil:
		return fmt.Sprintf("plan %s waits for a person to approve %s", m.Pending.ID, settingsText(m.Pending.Changes))
	case len(m.Plan) == 0:
		return who + " changes nothing"
	case m.Applied:
		return who + " sets " + changes
	}
	return fmt.Sprintf("%s would set %s, which authority %s does not allow", who, changes, m.Authority)
}

// settingsText names changes as a person would. The weights of a route are one thing.
func settingsText(all []policy.Change) string {
	var words []string
	for rest := all; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Kind == policy.Weight && rest[n].Kind == rest[0].Kind && rest[n].Target == rest[0].Target {
			n++
		}
		words = append(words, changeText(rest[:n]))
		rest = rest[n:]
	}
	if n := len(words) - wordsLimit; n > 0 {
		words = append(words[:wordsLimit], fmt.Sprintf("%d more", n))
	}
	return strings.Join(words, ", ")
}

// changeText is of one setting, or of the weights of one route.
func changeText(of []policy.Change) string {
	c := of[0]
	switch c.Kind {
	case policy.Blocking:
		return fmt.Sprintf("blocking of %s from %.3g %% to %.3g %%", c.Target, 100*c.From, 100*c.To)
	case policy.Weight:
		var parts []string
		for _, x := range of {
			parts = append(parts, fmt.Sprintf("%s from %.3g %% to %.3g %%", x.Part, 100*x.From, 100*x.To))
		}
		return fmt.Sprintf("weights of %s (%s)", c.Target, strings.Join(parts, ", "))
	case policy.Replicas:
		return fmt.Sprintf("replicas of %s from %g to %g", c.Target, c.From, c.To)
	}
	return fmt.Sprintf("%s from %.4g to %.4g", c.KnobID, c.From, c.To)
}
