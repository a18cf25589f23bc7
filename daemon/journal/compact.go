package journal

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/windvane/windvane/plugins/policy"
)

// fullEvery is how many intents of a mesh may refer back to one that is whole.
const fullEvery = 64

// AlternativeSettings bounds the settings of an alternative that are kept: with as many, there
// may have been more.
const AlternativeSettings = 64

// storedIntent is an intent as it is on disk. Base is the seq of the mesh's intent before, in
// the same segment, on which its Delta is; 0: the intent is whole.
type storedIntent struct {
	Intent
	Base  uint64           `json:"base,omitempty"`
	Delta map[string]delta `json:"delta,omitempty"` // of the members in parts that differ from the base's
}

// parts are the members that hardly change from one intent to the next, as raw JSON.
type parts map[string]json.RawMessage

// parts points to the members by name.
func (i *Intent) parts() map[string]any {
	return map[string]any{
		"services": &i.Services, "limits": &i.Limits, "knobs": &i.Knobs, "control": &i.Control,
		"live": &i.Live, "guarded": &i.Guarded, "commanded": &i.Commanded, "baseline": &i.Baseline,
		"authority_sources": &i.Sources, "changes": &i.Changes, "alerts": &i.Alerts, "evidence": &i.Evidence,
	}
}

// base is what the next intent of a mesh may refer to.
type base struct {
	seq     uint64
	segment int
	chain   int // intents since the whole one
	parts   parts
}

// compact returns the intent as it is to be stored as record seq of a segment, and what the
// next may refer to.
func compact(i Intent, seq uint64, segment int, was *base) (storedIntent, *base, error) {
	now := &base{seq: seq, segment: segment, parts: parts{}}
	for name, member := range i.parts() {
		raw, err := plain(member)
		if err != nil {
			return storedIntent{}, nil, fmt.Errorf("%s: %w", name, err)
		}
		now.parts[name] = raw
	}
	out := storedIntent{Intent: i}
	out.Decision = bounded(i.Decision)
	if was == nil || was.segment != segment || was.chain >= fullEvery-1 {
		return out, now, nil
	}
	now.chain = was.chain + 1
	out.Base, out.Delta = was.seq, map[string]delta{}
	for name, raw := range now.parts {
		if d, differ := difference(was.parts[name], raw); differ {
			out.Delta[name] = d
		}
	}
	out.Services, out.Limits, out.Knobs, out.Control, out.Evidence, out.Changes = nil, policy.Limits{}, nil, nil, nil, nil
	out.Live, out.Guarded, out.Commanded, out.Baseline, out.Sources, out.Alerts = nil, nil, nil, nil, nil, nil
	return out, now, nil
}

// bounded returns a decision whose alternatives are no longer than what they are read for.
func bounded(d *policy.Decision) *policy.Decision {
	if d == nil || len(d.Alternatives) == 0 {
		return d
	}
	out := *d
	out.Alternatives = nil
	for _, a := range d.Alternatives[:min(len(d.Alternatives), policy.MaxAlternatives)] {
		var differ policy.Action
		for k, s := range a.Action { // both are in the order of the knobs
			if (k >= len(d.Action) || d.Action[k] != s) && len(differ) < AlternativeSettings {
				differ = append(differ, s)
			}
		}
		a.Action = differ
		out.Alternatives = append(out.Alternatives, a)
	}
	return &out
}

// whole returns the parts of a stored intent, of which was are those of its base.
func whole(body json.RawMessage, was parts) (parts, error) {
	var stored struct {
		Base  uint64           `json:"base"`
		Delta map[string]delta `json:"delta"`
	}
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, err
	}
	out := parts{}
	if stored.Base == 0 {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			return nil, err
		}
		for name, zero := range new(Intent).parts() {
			out[name] = all[name]
			if out[name] == nil { // left out
				raw, err := plain(zero)
				if err != nil {
					return nil, err
				}
				out[name] = raw
			}
		}
		return out, nil
	}
	maps.Copy(out, was)
	for name, d := range stored.Delta {
		raw, err := d.apply(was[name])
		if err != nil {
			return nil, fmt.Errorf("%s, as it differs from record %d: %w", name, stored.Base, err)
		}
		out[name] = raw
	}
	return out, nil
}

// baseOf returns the record that a stored intent refers to; 0: none.
func baseOf(body json.RawMessage) (uint64, error) {
	var stored struct {
		Base uint64 `json:"base"`
	}
	err := json.Unmarshal(body, &stored)
	return stored.Base, err
}
