package rules

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Defaults of the rules file.
const (
	DefaultPrometheus     = "main"
	DefaultInterval       = 5 * time.Second
	DefaultSettle         = 2 * time.Second
	DefaultBy             = "service"
	DefaultWindow         = time.Hour
	DefaultLevels         = 6
	DefaultStatus         = 429
	DefaultMaxStep        = .2
	DefaultTotalBlocking  = .5
	DefaultChangesPerHour = 600
	DefaultApprovalExpiry = 15 * time.Minute
	DefaultNoDataGrace    = 10 * time.Minute
)

// Load reads the rules file of one mesh. What is wrong with its content comes as
// Problems; the artefact of a policy is not opened.
func Load(path string) (*Mesh, error) {
	src, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

// Parse reads the content of a rules file; name is the file's name in problems,
// and artefacts are relative to its directory. The error is of type Problems and
// holds everything that is wrong.
func Parse(name string, src []byte) (*Mesh, error) {
	if len(bytes.TrimSpace(src)) == 0 {
		return nil, Problems{{File: name, Line: 1, Message: "the file is empty", Hint: `start with mesh = "…", [signals] and a [[service]]`}}
	}
	doc, root, err := ParseDocument(name, src)
	if err != nil {
		return nil, err
	}
	r := &reader{mesh: &Mesh{File: name, doc: doc}}
	r.root(root)
	problems := doc.Problems()
	r.checkReferences()
	r.parseExpressions()
	problems = slices.Concat(problems, r.references.byLine(), r.expressions.byLine())
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if d := r.mesh.Delay(); !r.mesh.Guard.CooldownGiven {
		r.mesh.Guard.Cooldown = d.Settle + d.LookBack
	}
	r.mesh.warnings = r.mesh.warn().byLine()
	return r.mesh, nil
}

// reader fills a Mesh from a Document.
type reader struct {
	mesh        *Mesh
	references  Problems
	expressions Problems
}

func (r *reader) refer(key, message, hint string) {
	r.references = append(r.references, r.mesh.doc.Problem(key, message, hint))
}

func (r *reader) root(t *Table) {
	m := r.mesh
	t.Require("mesh")
	m.Name = nameOf(t, "mesh")
	m.Prometheus = t.Text("prometheus", DefaultPrometheus)
	m.Interval = t.Duration("interval", DefaultInterval, time.Millisecond)
	m.Settle = t.Duration("settle", DefaultSettle, 0)
	m.ScrapeInterval = t.Duration("scrape_interval", 0, time.Millisecond)
	m.Signals = readSignals(t.Table("signals"))
	if t.Require("service") {
		services := t.Tables("service")
		for _, s := range services {
			m.Services = append(m.Services, r.service(s))
		}
		if items, ok := t.values["service"].([]any); ok && len(items) == 0 {
			t.Invalid("service", "is empty", "declare at least one [[service]]")
		}
	}
	for _, b := range t.Tables("budget") {
		m.Budgets = append(m.Budgets, r.sharedBudget(b))
	}
	for _, w := range t.Tables("workload") {
		m.Workloads = append(m.Workloads, readWorkload(w))
	}
	m.Guard = readGuard(t.Table("guard"))
	for _, p := range t.Tables("policy") {
		m.Policies = append(m.Policies, readPolicy(p, filepath.Dir(m.File)))
	}
	m.Promotion = readPromotion(t.Table("promotion"))
	m.Alerts = readAlerts(t.Table("alerts"))
	m.Reward = readReward(t.Table("reward"))
}

func readSignals(t *Table) Signals {
	s := Signals{By: DefaultBy}
	if t == nil {
		return s
	}
	s.By = t.Text("by", DefaultBy)
	if !model.LegacyValidation.IsValidLabelName(s.By) {
		t.Invalid("by", fmt.Sprintf("%q is not the name of a label", s.By), "")
	}
	s.Queries = readQueries(t, "", "by")
	return s
}

// readQueries reads a table of queries; its keys are the names of signals.
func readQueries(t *Table, service, skip string) []Query {
	var out []Query
	for _, name := range t.Keys() {
		if name == skip {
			continue
		}
		if !signalName.MatchString(name) {
			t.Invalid(name, "is not the name of a signal", "use lower case letters, digits and _, as in latency_p99")
			continue
		}
		expr := t.Text(name, "")
		out = append(out, Query{Name: name, Service: service, Role: defaultRole(name), Expr: expr, key: t.Path(name)})
	}
	return out
}

var (
	signalName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	plainName  = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$`)
	kubeName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// nameOf reads a name that may stand in metrics, in knobs and in paths.
func nameOf(t *Table, key string) string {
	name := t.Text(key, "")
	if t.IsText(key) && !plainName.MatchString(name) {
		t.Invalid(key, fmt.Sprintf("%q is not a name", name), "use letters, digits, '.', '_' and '-'")
	}
	return name
}

// objectOf reads the namespace and name of a Kubernetes object.
func objectOf(t *Table, key string) string {
	v := t.Text(key, "")
	namespace, name, ok := cut(v)
	if t.IsText(key) && (!ok || !kubeName.MatchString(namespace) || !kubeName.MatchString(name)) {
		t.Invalid(key, fmt.Sprintf("%q is not namespace/name", v), `as in "default/front"`)
	}
	return v
}
