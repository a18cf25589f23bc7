//go:build integration

package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/internal/console"
)

// units does with the units of a root what systemd does with them, as far as windvane's
// need it: drop-ins, credentials, environment, Conflicts=, ExecStart= and ExecReload=.
// There is neither a sandbox nor a user of their own: package systemd's tests look at those.
type units struct {
	t           *testing.T
	root        string
	credentials string // directory
	shell       console.Shell
	url         string // of the daemon

	daemon *stack.Process // nil: none
}

// unit is its settings in the order of the files, those of a drop-in behind its own.
type unit map[string][]string

func (u *units) read(name string) unit {
	u.t.Helper()
	name = strings.TrimSuffix(name, ".service") + ".service"
	dropIns, err := filepath.Glob(filepath.Join(u.root, "etc/systemd/system", name+".d", "*.conf"))
	if err != nil {
		u.t.Fatal(err)
	}
	out := unit{}
	for _, file := range append([]string{filepath.Join(u.root, "usr/lib/systemd/system", name)}, dropIns...) {
		text, err := os.ReadFile(file)
		if err != nil {
			u.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
				out[key] = append(out[key], value)
			}
		}
	}
	return out
}

// systemctl does a command, as in systemctl("start", "windvane").
func (u *units) systemctl(arguments ...string) {
	u.t.Helper()
	if slices.Equal(arguments, []string{"daemon-reload"}) {
		return // units are read when they are needed
	}
	arguments = slices.DeleteFunc(arguments, func(a string) bool { return a == "--now" })
	if len(arguments) != 2 {
		u.t.Fatalf("systemctl %v: a verb and a unit", arguments)
	}
	name := arguments[1]
	switch unit := u.read(name); arguments[0] {
	case "start", "enable":
		u.start(name, unit)
	case "stop", "disable":
		u.stop()
	case "reload":
		u.reload(unit)
	default:
		u.t.Fatalf("systemctl %v: unknown", arguments)
	}
}

func (u *units) start(name string, unit unit) {
	u.t.Helper()
	if slices.Contains(unit["Conflicts"], "windvane.service") {
		u.stop()
	}
	for page := range strings.FieldsSeq(strings.Join(unit["Documentation"], " ")) {
		if file, ok := strings.CutPrefix(page, "file:"); ok {
			if _, err := os.Stat(filepath.Join(u.root, file)); err != nil {
				u.t.Errorf("%s has documentation that the package has not: %v", name, err)
			}
		}
	}
	program, arguments, env := u.command(name, unit)
	if slices.Contains(unit["Type"], "oneshot") {
		c := exec.CommandContext(u.t.Context(), program, arguments...)
		c.Env = append(os.Environ(), env...)
		out, err := c.CombinedOutput()
		u.t.Logf("%s: %s", name, out)
		if err != nil {
			u.t.Errorf("%s: %v", name, err)
		}
		return
	}
	if u.daemon != nil {
		return
	}
	var err error
	if u.daemon, err = shared.Run("operated", program, env, arguments...); err != nil {
		u.t.Fatal(err)
	}
	u.eventually("ready", func() bool { return u.get("/-/ready") != "" })
}

// command is what a unit starts, with its environment.
func (u *units) command(name string, unit unit) (program string, arguments, env []string) {
	u.t.Helper()
	set := map[string]string{}
	for _, file := range unit["EnvironmentFile"] {
		text, err := os.ReadFile(u.shell.Here(strings.TrimPrefix(file, "-")))
		if err != nil {
			u.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
				set[key] = strings.Trim(value, `"`)
			}
		}
	}
	directory := filepath.Join(u.credentials, name+".service")
	for _, c := range unit["LoadCredential"] {
		id, file, _ := strings.Cut(c, ":")
		text, err := os.ReadFile(u.shell.Here(file))
		if err == nil {
			err = os.MkdirAll(directory, 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(directory, id), text, 0o600)
		}
		if err != nil {
			u.t.Fatal(err)
		}
	}
	for _, e := range unit["Environment"] {
		env = append(env, strings.ReplaceAll(e, "%d", directory))
	}
	i := slices.IndexFunc(u.shell.Env, func(e string) bool { return strings.HasPrefix(e, "RUNTIME_DIRECTORY=") })
	env = append(env, u.shell.Env[i])
	if len(unit["ExecStart"]) != 1 {
		u.t.Fatalf("%s: ExecStart %q", name, unit["ExecStart"])
	}
	var words []string
	for word := range strings.FieldsSeq(unit["ExecStart"][0]) {
		if variable, ok := strings.CutPrefix(word, "$"); ok {
			words = append(words, strings.Fields(u.shell.Here(set[variable]))...)
			continue
		}
		words = append(words, u.shell.Here(word))
	}
	return words[0], words[1:], env
}

func (u *units) reload(unit unit) {
	u.t.Helper()
	const at = "windvane_config_last_reload_success_timestamp_seconds"
	before := u.metric(at)
	for _, command := range unit["ExecReload"] {
		if command == "/bin/kill -HUP $MAINPID" {
			if err := syscall.Kill(u.daemon.PID(), syscall.SIGHUP); err != nil {
				u.t.Fatal(err)
			}
			u.eventually("reloaded", func() bool { return u.metric(at) != before })
			continue
		}
		if out, exit, err := u.shell.Run(u.t.Context(), command); err != nil || exit != 0 {
			u.t.Fatalf("%s: exit code %d, %v\n%s", command, exit, err, out)
		}
	}
}

func (u *units) stop() {
	if u.daemon != nil {
		u.daemon.Stop(30 * time.Second) // TimeoutStopSec=
		u.daemon = nil
	}
}

func (u *units) metric(name string) string {
	for line := range strings.Lines(u.get("/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// get is what the daemon answers; empty: it does not, or not well.
func (u *units) get(path string) string {
	w := stack.Windvane{Address: strings.TrimPrefix(u.url, "http://")}
	text, err := w.Ask(u.t.Context(), path)
	if err != nil {
		return ""
	}
	return text
}

func (u *units) eventually(what string, is func() bool) {
	u.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			u.t.Fatalf("the daemon is not %s after a minute", what)
		}
	}
}
