package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/rules"
)

// trials are what was gathered of the policies of a mesh: of each shadow beside the active one, and
// of the active one itself. They outlive reloads.
type trials struct {
	mesh    string
	journal loop.Journal

	mu      sync.Mutex
	of      []*promotion.Evidence
	earlier []journal.Trial // of an earlier process, for pairs that may still come
	loaded  bool
	gap     promotion.Regions
	active  string // whose gap that is, by digest
}

// deciders are who decided a cycle and who was asked, each with the digest of what it is.
type deciders struct {
	name, digest string
	digests      map[string]string // by policy
}

// count takes up a cycle, and calls whole with each evidence of which a block of cycles is whole now.
func (t *trials) count(r *loop.Report, interval time.Duration, by deciders, whole func(*promotion.Evidence)) error {
	i := &r.Intent
	if i.Woken != "" || i.Live == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.active != by.digest {
		t.active, t.gap = by.digest, promotion.Regions{}
	}
	t.gap.Add(i, r.Outcome)
	var errs []error
	add := func(name, digest string, in promotion.Interval) {
		e := t.evidence(promotion.Pair{Policy: name, Of: digest, Active: by.name, ActiveOf: by.digest})
		block := e.Add(in)
		if block == nil {
			return
		}
		_, err := t.journal.Append(r.At, t.mesh, journal.KindTrial, block, false)
		errs = append(errs, err)
		whole(e)
	}
	for k, in := range promotion.Shadows(r, interval.Seconds()) {
		name := r.Trials[k].Policy
		add(name, by.digests[name], in)
	}
	if in, ok := promotion.Itself(r, interval.Seconds()); ok {
		add(by.name, by.digest, in)
	}
	return errors.Join(errs...)
}

// evidence is that of a pair; a policy has one beside itself and one beside another at most.
func (t *trials) evidence(p promotion.Pair) *promotion.Evidence {
	if i := t.find(p); i >= 0 {
		return t.of[i]
	}
	t.of = slices.DeleteFunc(t.of, func(e *promotion.Evidence) bool {
		return e.Policy == p.Policy && (e.Policy == e.Active) == (p.Policy == p.Active)
	})
	e := promotion.NewEvidence(p)
	e.Prepend(t.earlier)
	t.of = append(t.of, e)
	return e
}

func (t *trials) find(p promotion.Pair) int {
	return slices.IndexFunc(t.of, func(e *promotion.Evidence) bool { return e.Pair == p })
}

// with calls f with the evidence of a pair, if there is any.
func (t *trials) with(p promotion.Pair, f func(*promotion.Evidence)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.find(p); i >= 0 {
		f(t.of[i])
	}
}

// regions calls f with the gap of the active policy, by region.
func (t *trials) regions(f func([]*promotion.Region)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.gap.All())
}

// load takes up what an earlier process has gathered. It reads some of the journal, for which no
// cycle is to wait.
func (t *trials) load(ctx context.Context, dir string, logger *slog.Logger) {
	t.mu.Lock()
	again := t.loaded
	t.loaded = true
	t.mu.Unlock()
	if again {
		return
	}
	records, err := journal.Recent(dir, promotion.MaxBlocks, func(r journal.Record) bool {
		return ctx.Err() != nil || r.Mesh == t.mesh && r.Kind == journal.KindTrial // when it ends, the first will do
	})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		logger.Warn("what shadow policies have shown before this start is not known; it is gathered anew", "err", err)
		return
	}
	var blocks []journal.Trial
	for _, r := range records {
		var b journal.Trial
		if err := r.Decode(&b); err != nil {
			logger.Warn("what a shadow policy has shown is not readable", "err", err)
			continue
		}
		blocks = append(blocks, b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.earlier = blocks
	for _, e := range t.of {
		e.Prepend(blocks)
	}
}

// pairOf is a policy beside the active one of its mesh, or beside itself.
func (m *mesh) pairOf(x *declared) promotion.Pair {
	p := promotion.Pair{Policy: x.Name, Of: x.digest}
	if s := m.standings.now.Load(); s != nil {
		if a := m.policies.find(s.Active()); a != nil {
			p.Active, p.ActiveOf = a.Name, a.digest
		}
	}
	return p
}

// asked is what the rules file asks of a policy that is to be promoted.
func (m *mesh) asked() promotion.Asked {
	return promotion.Asked{Promotion: m.rules.Promotion, Interval: m.rules.Interval, Services: m.options.Mesh.PolicyServices()}
}

// gate is what a policy has to show, and whether it has; nil: it is the active one, or the fallback.
func (m *mesh) gate(x *declared) (out []promotion.Item) {
	said := m.standing(x.PolicyRef)
	judge := func(e *promotion.Evidence) {
		out = m.judge(x, e)
	}
	switch {
	case said.Role == rules.RoleFallback, said.Role == rules.RoleActive && !said.Canary:
		return nil
	case said.Role == rules.RoleShadow, said.Role == rules.RoleActive:
		m.trials.with(m.pairOf(x), judge)
		if out == nil {
			judge(promotion.NewEvidence(m.pairOf(x)))
		}
		return out
	}
	return []promotion.Item{{
		Code: promotion.Samples, State: promotion.TooFew, Why: fmt.Sprintf("it is %s, and not asked", said.Role),
		Needs: `role = "shadow" in the rules file, and a reload`,
	}}
}

// judge is the gate of a policy with some evidence.
func (m *mesh) judge(x *declared, e *promotion.Evidence) []promotion.Item {
	switch said := m.standing(x.PolicyRef); {
	case said.Canary && e.Policy == e.Active:
		return e.Canary(m.asked(), said.Since)
	case said.Role == rules.RoleShadow:
		return e.Gate(m.asked())
	}
	return nil
}

// try takes up a cycle in the trials, and has the metrics say what is new.
func (m *mesh) try(d *Daemon, r *loop.Report) {
	by := deciders{digests: map[string]string{}}
	for _, x := range m.policies.declared {
		by.digests[x.Name] = x.digest
	}
	if r.Intent.PolicyRole == journal.RoleActive {
		by.name, by.digest = r.Intent.Policy, by.digests[r.Intent.Policy]
	}
	show := &d.metrics.promotion
	err := m.trials.count(r, m.rules.Interval, by, func(e *promotion.Evidence) {
		if x := m.policies.find(e.Policy); x != nil {
			show.gate(m.rules.Name, e.Policy, m.judge(x, e))
		}
		show.gap(m.rules.Name, m.trials.gap.All())
	})
	if err != nil {
		m.options.Logger.Warn("what policies have shown could not be recorded, and a restart will not know of it", "err", err)
	}
}

// agrees is how often a shadow would have the same in force as the active policy; nil: nobody knows.
func (m *mesh) agrees(x *declared) (out *api.Agrees) {
	m.trials.with(m.pairOf(x), func(e *promotion.Evidence) {
		if t := e.Total(); t.Decided > 0 {
			out = &api.Agrees{Cycles: t.Decided, Same: t.Agreed}
		}
	})
	return out
}
