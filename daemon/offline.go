package daemon

import (
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// Offline reads and sets the authority in the files alone, for the time when no daemon
// answers. One that runs all the same obeys from its next cycle on, one that does not from
// its next start on.
type Offline struct {
	ConfigFile     string
	StateDirectory string // instead of that of ConfigFile, which is not read then: ceilings are not known
}

// SetAuthority is Daemon.SetAuthority, but for the wait: a cycle of a daemon that runs all the
// same may still write. It returns what there is to know of it.
func (o Offline) SetAuthority(mesh string, level rules.Authority, by string, at time.Time) (remark string, err error) {
	dir, meshes, err := o.meshes()
	if err != nil {
		return "", err
	}
	var known []string
	for _, m := range meshes {
		known = append(known, m.Name)
	}
	remark = fmt.Sprintf("written to %s: a daemon obeys from its next cycle, or its next start, on", authority.File(dir))
	switch i := slices.Index(known, mesh); {
	case o.StateDirectory != "" && i < 0: // a stop is not refused for a doubt
		remark += fmt.Sprintf("; whether there is a mesh %s is not known there", mesh)
		if hint := rules.Suggest(mesh, known); hint != "" {
			remark += ": " + hint
		}
	case i < 0:
		return "", &UnknownMeshError{Mesh: mesh, Hint: rules.Suggest(mesh, known)}
	case o.StateDirectory == "":
		if err := belowCeiling(meshes[i], level); err != nil {
			return "", err
		}
	}
	return remark, authority.Open(dir).Set(mesh, level, by, at)
}

// Meshes tells the authority of each mesh, as far as files do: what annotations say is not
// among it.
func (o Offline) Meshes() ([]api.Mesh, error) {
	dir, meshes, err := o.meshes()
	if err != nil {
		return nil, err
	}
	store := authority.Open(dir)
	out := []api.Mesh{}
	for _, m := range meshes {
		x := api.Mesh{Name: m.Name}
		if o.StateDirectory == "" {
			x.Sources = append(x.Sources, authority.Ceiling(m))
		}
		x.Sources = append(x.Sources, store.Mesh(m.Name).Sources()...)
		x.Authority = string(authority.Effective(x.Sources))
		out = append(out, x)
	}
	return out, nil
}

// meshes returns those of the configuration, or else those that the journal has of the last
// start, by their names alone; none if it cannot tell.
func (o Offline) meshes() (dir string, meshes []*rules.Mesh, err error) {
	if o.StateDirectory == "" {
		c, err := config.Load(o.ConfigFile, BuiltinNames())
		if err != nil {
			return "", nil, err
		}
		return c.StateDirectory, c.Meshes, nil
	}
	starts, err := journal.Recent(JournalDirectory(o.StateDirectory), 1, func(r journal.Record) bool { return r.Kind == journal.KindStart })
	var start journal.Start
	if err == nil && len(starts) > 0 {
		err = starts[0].Decode(&start)
	}
	if err != nil {
		return o.StateDirectory, nil, nil //nolint:nilerr // a stop works without a journal, too
	}
	for _, name := range start.Meshes {
		meshes = append(meshes, &rules.Mesh{Name: name})
	}
	return o.StateDirectory, meshes, nil
}
