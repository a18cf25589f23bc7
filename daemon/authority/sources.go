package authority

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// The sources, as journal.AuthoritySource names them.
const (
	SourceFile       = "file"       // the ceiling of the rules file
	SourceCommand    = "command"    // windvane mode
	SourceAnnotation = "annotation" // of a VirtualService
	SourceStopFile   = "stop file"
	SourceDemotion   = "demotion" // by windvane itself; a person lifts it
	SourceStandby    = "standby"  // another daemon holds the lease
)

// levels are the authorities, least first.
var levels = []rules.Authority{rules.AuthorityObserve, rules.AuthorityApprove, rules.AuthorityAct}

// highest is a source that lowers nothing.
var highest = journal.AuthoritySource{Source: SourceFile, Level: string(rules.AuthorityAct)}

// Levels returns all authorities, least first.
func Levels() []rules.Authority { return slices.Clone(levels) }

// Lowering returns the sources that lower the authority below the ceiling.
func Lowering() []string {
	return []string{SourceCommand, SourceAnnotation, SourceStopFile, SourceDemotion, SourceStandby}
}

// Parse reads an authority as a person writes it.
func Parse(s string) (rules.Authority, error) {
	if a := rules.Authority(s); slices.Contains(levels, a) {
		return a, nil
	}
	return "", fmt.Errorf("%q is no authority; use observe, approve or act", s)
}

// Above reports whether a allows more than b. What is no authority allows nothing.
func Above(a, b rules.Authority) bool {
	return slices.Index(levels, a) > max(0, slices.Index(levels, b))
}

// Effective is the least of what the sources allow: observe if there are none.
func Effective(sources []journal.AuthoritySource) rules.Authority {
	if len(sources) == 0 {
		return rules.AuthorityObserve
	}
	least := rules.AuthorityAct
	for _, s := range sources {
		if level := rules.Authority(s.Level); !Above(level, rules.AuthorityObserve) {
			return rules.AuthorityObserve
		} else if Above(least, level) {
			least = level
		}
	}
	return least
}

// Ceiling is what the rules file of a mesh allows.
func Ceiling(m *rules.Mesh) journal.AuthoritySource {
	return journal.AuthoritySource{Source: SourceFile, Level: string(m.Guard.Authority), By: m.File}
}

// Annotated is what the annotations of a mesh's objects allow, by the object's name: the
// lowest of them. A value that is no authority counts as observe. Without any there is no
// such source.
func Annotated(values map[string]string) []journal.AuthoritySource {
	var out journal.AuthoritySource
	for _, object := range slices.Sorted(maps.Keys(values)) {
		s := journal.AuthoritySource{Source: SourceAnnotation, By: object}
		level, err := Parse(strings.TrimSpace(values[object]))
		if err != nil {
			level, s.Why = rules.AuthorityObserve, fmt.Sprintf("its annotation windvane.io/authority: %v; until then it counts as observe", err)
		}
		s.Level = string(level)
		if out.Source == "" || Above(rules.Authority(out.Level), level) {
			out = s
		}
	}
	if out.Source == "" {
		return nil
	}
	return []journal.AuthoritySource{out}
}

// Since fills in when each source began to say what it says, where it does not know by
// itself: with the cycle before it said the same, that is taken over, else it is now. The
// ceiling has no such time: the file is read at the start and at reloads.
func Since(now, before []journal.AuthoritySource, at time.Time) {
	for i := range now {
		s := &now[i]
		if !s.Since.IsZero() || s.Source == SourceFile {
			continue
		}
		s.Since = at
		for _, b := range before {
			if b.Source == s.Source && b.Level == s.Level && b.By == s.By && !b.Since.IsZero() {
				s.Since = b.Since
			}
		}
	}
}
