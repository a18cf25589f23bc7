package doctor

import (
	"errors"
	"os/exec"

	"github.com/windvane/windvane/plugins/host"
)

// plugins compares programs with their checksums. None is started.
func (e *examination) plugins() {
	add := e.about("", "plugin")
	for _, p := range e.o.Config.Plugins {
		if len(p.Command) == 0 {
			add(p.Name, OK, "built in: "+p.Builtin, "")
			continue
		}
		path, err := exec.LookPath(p.Command[0])
		if err != nil {
			add(p.Name, Problem, err.Error(), "put the program there and make it executable, or correct plugin."+p.Name+".command; until then the fallback decides")
			continue
		}
		switch err := host.CheckSum(path, p.SHA256); {
		case errors.Is(err, host.ErrChecksum):
			add(p.Name, Problem, err.Error(), "find out who changed it; until then windvane does not start it, and the fallback decides")
		case err != nil:
			add(p.Name, Unknown, err.Error(), "let this user read the program")
		case p.SHA256 == "":
			add(p.Name, OK, path+" is there, and not verified", "")
		default:
			add(p.Name, OK, path+" has the sum that is declared", "")
		}
	}
}
