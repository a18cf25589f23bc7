package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/windvane/windvane/sim/train"
)

// artefacts reads those that the rules files name, as the next start will, and says of the
// others in the state directory that they may be deleted.
func (e *examination) artefacts() {
	named := []string{}
	for _, m := range e.o.Config.Meshes {
		add := e.about(m.Name, "artefact")
		for _, p := range m.Policies {
			if p.Artefact == "" {
				continue
			}
			path := train.Find(p.Artefact, e.o.ArtefactDirectory)
			named = append(named, filepath.Base(path))
			switch a, err := train.Read(path); {
			case errors.Is(err, fs.ErrPermission):
				add(p.Name, Unknown, err.Error(), "run doctor as the daemon's user")
			case err != nil:
				add(p.Name, Problem, err.Error(), "put it there, or in "+e.o.ArtefactDirectory+"; windvane does not start without it")
			case !a.Verified:
				add(p.Name, Warning, path+" does not have the name of its content, by which its card is verified", "name it "+a.Name())
			default:
				add(p.Name, OK, path+" reads back", "")
			}
		}
	}
	e.unnamed(named)
}

// unnamed says what nobody needs.
func (e *examination) unnamed(named []string) {
	found, err := os.ReadDir(e.o.ArtefactDirectory)
	if err != nil {
		return // there is none, which state has said if it matters
	}
	var unused []string
	for _, f := range found {
		if f.IsDir() && !slices.Contains(named, f.Name()) {
			unused = append(unused, f.Name())
		}
	}
	if len(unused) == 0 {
		return
	}
	const most = 10
	list := strings.Join(unused[:min(most, len(unused))], ", ")
	if n := len(unused) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	e.about("", "artefact")(e.o.ArtefactDirectory, OK,
		plural(len(unused), "artefact")+" that no rules file names; they may be deleted, but for what a training is writing: "+list, "")
}
