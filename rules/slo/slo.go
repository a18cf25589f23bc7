package slo

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/rules"
)

// The formats that can be read.
const (
	FromSloth   = "sloth"   // prometheus/v1, and the Kubernetes resource sloth.slok.dev/v1
	FromOpenSLO = "openslo" // openslo/v1 and openslo/v1alpha
	FromPyrra   = "pyrra"   // pyrra.dev/v1alpha1
)

// Formats returns the names of the formats.
func Formats() []string { return []string{FromSloth, FromOpenSLO, FromPyrra} }

// DefaultInterval is the interval of a file that is made: common scrape intervals give
// rate() its two samples in it.
const DefaultInterval = 30 * time.Second

// Options say what is read and how it is written.
type Options struct {
	From     string        // a format
	File     string        // its name, for messages
	Mesh     string        // name of the mesh; empty: that of the first service
	Interval time.Duration // of the mesh, and the range of queries; whole milliseconds
}

// Lost is a field that could not be carried over.
type Lost struct {
	Path string // as in slos[0].alerting
	Why  string // what it means that it is lost; empty: nothing in a rules file corresponds to it
}

// String writes the path and the reason.
func (l Lost) String() string {
	if l.Why == "" {
		return l.Path
	}
	return l.Path + ": " + l.Why
}

// Import turns objectives into a rules file, and lists what of them it does not have.
// It is an error if there is no objective that could be carried over.
func Import(src []byte, o Options) (toml []byte, lost []Lost, err error) {
	if o.Interval < time.Millisecond {
		return nil, nil, fmt.Errorf("import objectives: an interval of %v, want at least 1ms", o.Interval)
	}
	documents, err := readYAML(src)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.File, err)
	}
	m := &mesh{options: o}
	switch o.From {
	case FromSloth:
		m.sloth(documents)
	case FromOpenSLO:
		m.openSLO(documents)
	case FromPyrra:
		m.pyrra(documents)
	default:
		return nil, nil, fmt.Errorf("import objectives: no format %q; there are %q", o.From, Formats())
	}
	for _, d := range documents {
		d.unread(func(path string) { m.lose(path, "") })
	}
	slices.SortStableFunc(m.lost, func(a, b Lost) int { return compare(a.Path, b.Path) })
	m.lost = slices.CompactFunc(m.lost, func(a, b Lost) bool { return a.Path == b.Path })
	if len(m.services) == 0 {
		return nil, m.lost, fmt.Errorf("%s: no objective of format %s could be carried over", o.File, o.From)
	}
	toml = m.write()
	if _, err := rules.Parse(o.File, toml); err != nil {
		return nil, m.lost, fmt.Errorf("%s: what was made of it is no rules file: %w", o.File, err)
	}
	return toml, m.lost, nil
}

// mesh collects what is to be written.
type mesh struct {
	options  Options
	services []*service
	lost     []Lost
}

// service is one [[service]].
type service struct {
	name       string
	offered    string // PromQL; empty: not known from the objectives
	signals    []signal
	objectives []objective
}

// signal is a query of the service's own.
type signal struct{ name, expr string }

// objective is one [[service.objective]]: on a signal, or bad over total.
type objective struct {
	title      string // for a comment
	bad, total string
	signal     string
	bound      string // a duration; with signal; empty: the signal is an error
	target     float64
	window     time.Duration
}

func (m *mesh) lose(path, why string) { m.lost = append(m.lost, Lost{path, why}) }

// service returns the service of a name, made if there is none.
func (m *mesh) service(name string) *service {
	name = plain(name)
	for _, s := range m.services {
		if s.name == name {
			return s
		}
	}
	s := &service{name: name}
	m.services = append(m.services, s)
	return s
}

// drop notes that an objective is lost as a whole.
func (m *mesh) drop(n node, name string, err error) {
	m.lose(n.path, fmt.Sprintf("the objective %q is not carried over at all: %v", name, err))
	n.drop()
}

// check says why a rules file cannot have an objective with this target and window.
func (m *mesh) check(o objective) error {
	switch {
	case !(o.target > 0 && o.target < 1):
		return fmt.Errorf("a target of %v leaves no error budget to steer by", o.target)
	case o.window < m.options.Interval:
		return fmt.Errorf("a window of %v is shorter than the interval of %v", o.window, m.options.Interval)
	}
	return nil
}

// errNoTarget is the reason for objectives without one.
var errNoTarget = errors.New("it has no target")
