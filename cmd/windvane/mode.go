package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// mode is the subcommand's arguments.
type mode struct {
	client  *client
	files   daemon.Offline
	mesh    string
	level   string
	asJSON  bool
	stdout  io.Writer
	remarks []string
}

// meshAuthority is what `mode --json` prints of a mesh.
type meshAuthority struct {
	Mesh      string                    `json:"mesh"`
	Authority string                    `json:"authority"`
	Sources   []journal.AuthoritySource `json:"authority_sources"`
}

// addMode adds `mode`.
func addMode(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("mode", "Show what windvane may do with each mesh and who says so, or set it: observe stops it at once. "+
		"The rules file has the ceiling. When no daemon answers, the state directory is written: its next cycle or start obeys.")
	m := mode{client: addClient(c), stdout: stdout}
	c.Arg("mesh", "The mesh; all of them if it is left out.").StringVar(&m.mesh)
	c.Arg("authority", "observe, approve (a person approves each plan) or act. What is not observe also lifts a demotion.").StringVar(&m.level)
	c.Flag("config.file", "windvane.toml, which names the state directory; for when no daemon answers.").Default("windvane.toml").StringVar(&m.files.ConfigFile)
	c.Flag("state-directory", "The state directory: no daemon is asked, and no configuration is read.").PlaceHolder("DIR").StringVar(&m.files.StateDirectory)
	c.Flag("json", "Print JSON.").BoolVar(&m.asJSON)
	commands["mode"] = m.run
}

func (m *mode) run() error {
	if _, err := authority.Parse(m.mesh); err == nil && m.level == "" {
		return usageError{fmt.Errorf("which mesh? as in `windvane mode MESH %s`; `windvane mode` lists them", m.mesh)}
	}
	if m.level != "" {
		if err := m.set(); err != nil {
			return err
		}
	}
	meshes, err := m.meshes()
	if err != nil {
		return err
	}
	if m.asJSON {
		return printJSON(m.stdout, meshes)
	}
	return m.print(meshes)
}

// set tells the daemon, or without one the files.
func (m *mode) set() error {
	level, err := authority.Parse(m.level)
	if err != nil {
		return usageError{err}
	}
	return m.ask(func() error {
		return m.client.do(http.MethodPut, "/api/v1/meshes/"+url.PathEscape(m.mesh)+"/authority", api.AuthorityRequest{Authority: m.level}, nil)
	}, func() error {
		remark, err := m.files.SetAuthority(m.mesh, level, userName(), time.Now())
		m.remarks = append(m.remarks, remark)
		return err
	})
}

// meshes asks the daemon, or without one the files, for the chosen meshes.
func (m *mode) meshes() ([]meshAuthority, error) {
	var found []api.Mesh
	err := m.ask(func() error {
		var s api.Status
		err := m.client.get("/api/v1/status", &s)
		found = s.Meshes
		return err
	}, func() (err error) {
		found, err = m.files.Meshes()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := []meshAuthority{}
	var known []string
	for _, x := range found {
		known = append(known, x.Name)
		if m.mesh == "" || m.mesh == x.Name {
			out = append(out, meshAuthority{Mesh: x.Name, Authority: x.Authority, Sources: x.Sources})
		}
	}
	if m.mesh != "" && len(out) == 0 && m.level == "" {
		return nil, usageError{&daemon.UnknownMeshError{Mesh: m.mesh, Hint: rules.Suggest(m.mesh, known)}}
	}
	return out, nil
}

// ask asks the daemon, and where none answers, or the state directory was named, the files.
func (m *mode) ask(online, offline func() error) error {
	if m.files.StateDirectory != "" {
		return offline()
	}
	err := online()
	if _, dead := errors.AsType[unreachableError](err); !dead {
		return err
	}
	if fileErr := offline(); fileErr != nil {
		return fmt.Errorf("%w; and without one: %w; --config.file or --state-directory says where its files are", err, fileErr)
	}
	return nil
}

func (m *mode) print(meshes []meshAuthority) error {
	var errs []error
	p := func(format string, args ...any) {
		_, err := fmt.Fprintf(m.stdout, format+"\n", args...)
		errs = append(errs, err)
	}
	for _, r := range m.remarks {
		p("%s", r)
	}
	for _, x := range meshes {
		p("mesh %s   authority %s", x.Mesh, x.Authority)
		for _, s := range x.Sources {
			p("  %s", s)
		}
		if m.level != "" && x.Authority != m.level {
			p("it stays at %s: what allows less has to be lifted, too", x.Authority)
		}
	}
	return errors.Join(errs...)
}

// userName is who says so where no daemon knows better.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return "somebody"
	}
	return u.Username
}
