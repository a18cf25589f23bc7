package doctor

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/windvane/windvane/daemon/journal"
)

// newestSegments bounds what is read of the journal: the segment that is written, and the
// one before, 128 MiB at most.
const newestSegments = 2

// state looks at the directories. Whether one can be written is asked of the system, not
// tried.
func (e *examination) state() {
	add := e.about("", "state")
	dir := e.o.Config.StateDirectory
	const own = "create it for the daemon's user, or name another in state_directory"
	switch info, err := os.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		add(dir, Warning, "does not exist; the daemon makes it where it may", own)
		return
	case err != nil:
		add(dir, Unknown, err.Error(), own)
		return
	case !info.IsDir():
		add(dir, Problem, "is no directory", own)
		return
	}
	if err := syscall.Access(dir, accessWrite|accessEnter); err != nil {
		add(dir, Problem, "user "+fmt.Sprint(os.Getuid())+" may not write in it: without a journal windvane sets nothing",
			"let the daemon's user write in it; if that is another one, run doctor as that user")
	} else {
		add(dir, OK, "can be written", "")
	}
	e.journal()
	e.runtime()
}

// Of access(2).
const (
	accessEnter = 1
	accessWrite = 2
)

func (e *examination) journal() {
	add := e.about("", "journal")
	dir := e.o.JournalDirectory
	sum, err := journal.VerifyNewest(dir, newestSegments)
	_, damaged := errors.AsType[*journal.DamageError](err)
	switch {
	case err == nil:
		add(dir, OK, fmt.Sprintf("the newest %s (%d records) read back; `windvane journal verify` reads all", plural(sum.Segments, "segment"), sum.Records), "")
	case errors.Is(err, os.ErrNotExist) && !damaged:
		add(dir, OK, "there is none yet", "")
	case errors.Is(err, os.ErrPermission):
		add(dir, Unknown, err.Error(), "run doctor as the daemon's user")
	default:
		add(dir, Problem, err.Error(), "`windvane journal verify "+dir+"` says how far it reaches; move the directory away to start a new one")
	}
}

func (e *examination) runtime() {
	add := e.about("", "runtime directory")
	dir := e.o.RuntimeDirectory
	if dir == "" {
		add("RUNTIME_DIRECTORY", OK, "is not set: the sockets of plugins are in the system's directory for temporary files, and the daemon has none of its own", "")
		return
	}
	const do = "systemd makes it with RuntimeDirectory=windvane; without systemd, make it for the daemon's user"
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		add(dir, Problem, err.Error(), do)
	case !info.IsDir():
		add(dir, Problem, "is no directory", do)
	case syscall.Access(dir, accessWrite|accessEnter) != nil:
		add(dir, Problem, fmt.Sprintf("user %d may not write in it", os.Getuid()), do)
	default:
		add(dir, OK, "can be written", "")
	}
}
