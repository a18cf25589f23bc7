package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// drain is how long the output of a process that ended is still read. Without an
// end to it, a descendant that left the process group could hold the pipes, and
// the host, for as long as it likes.
const drain = 200 * time.Millisecond

// lastWords is how long a plugin whose handshake is wrong may take to end by itself.
const lastWords = 200 * time.Millisecond

// process is one run of a plugin in a process group of its own, with /dev/null as
// standard input. It notices the end of the process at once, and then kills what
// is left of the group.
//
// It is go-plugin's runner in place of the library's own, which hands the host's
// standard input to the plugin, kills the leader of the group only, and learns of
// its end only after every holder of its output has gone.
type process struct {
	cmd       *exec.Cmd
	socketDir string
	said      *lines // takes its standard error

	mu      sync.Mutex
	started bool
	killed  bool // kill was called; no start after it

	stdout, stderr *os.File // read ends
	lifeline       *os.File // write end; see policyv1.LifelineEnv
	ended          chan struct{}
	err            error         // how it ended; read after ended is closed
	heard          chan struct{} // closed when its standard error was read to the end
	hear           func()        // closes it
}

var _ runner.Runner = (*process)(nil)

func newProcess(path string, args []string, said *lines) *process {
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{cmd: cmd, said: said, ended: make(chan struct{}), heard: make(chan struct{})}
	p.hear = sync.OnceFunc(func() { close(p.heard) })
	return p
}

// Start runs the command. The context is not used: starting does not wait.
func (p *process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.New("stopped before it was started")
	}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	var ours [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours[:i])
			return fmt.Errorf("make a pipe: %w", err)
		}
		if i == 2 { // the lifeline is read by the plugin, the others by the host
			r, w = w, r
		}
		ours[i], theirs = r, append(theirs, w)
	}
	p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1]
	p.cmd.ExtraFiles = []*os.File{theirs[2]}
	p.cmd.Env = append(p.cmd.Env, policyv1.LifelineEnv+"=3") // the first of ExtraFiles
	if err := p.cmd.Start(); err != nil {
		closeAll(ours[:])
		return err
	}
	p.stdout, p.stderr, p.lifeline = ours[0], ours[1], ours[2]
	p.started = true
	go p.reap()
	return nil
}

// reap waits for the process to end. go-plugin waits for it through Wait.
//
// The group is killed, and nobody kills it after that, while the ended process still has
// its id: a moment later that may be another program's.
func (p *process) reap() {
	for errors.Is(unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
	p.mu.Lock()
	p.started = false
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // descendants that are left
	p.err = p.cmd.Wait()
	p.mu.Unlock()
	_ = p.lifeline.Close()
	until := time.Now().Add(drain)
	_ = p.stdout.SetReadDeadline(until)
	_ = p.stderr.SetReadDeadline(until)
	close(p.ended)
}

// Wait returns when the process has ended, with the error of its exit. It is
// called once its output has been read.
func (p *process) Wait(context.Context) error {
	<-p.ended
	closeAll([]*os.File{p.stdout, p.stderr})
	return p.err
}

// Kill is kill, a moment later: go-plugin calls it at once when a handshake is wrong, and
// what a plugin says then, and how it ends, explains more than that it was killed.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	running := p.started
	p.mu.Unlock()
	if running {
		select {
		case <-p.ended:
		case <-time.After(lastWords):
		}
	}
	p.kill()
	return nil
}

// kill kills the process group, and prevents a start that has not happened yet.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.started {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// fate says how the process ended; empty while it runs, and if its host killed it.
func (p *process) fate() string {
	select {
	case <-p.ended:
	default:
		return ""
	}
	p.mu.Lock()
	killed := p.killed
	p.mu.Unlock()
	if killed && !p.cmd.ProcessState.Exited() {
		return ""
	}
	return p.ending()
}

// ending says how a process ended, which it has, with its last words if it was not killed.
func (p *process) ending() string {
	how := p.cmd.ProcessState.String()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		return how
	}
	select {
	case <-p.heard:
	case <-time.After(2 * drain): // nobody reads it
	}
	if words := p.said.last(); words != "" {
		how += ", after it wrote: " + words
	}
	return how
}

// pid returns the process's id; 0 before it was started.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// ID is never empty: go-plugin cleans up only after a runner that has one.
func (p *process) ID() string { return strconv.Itoa(p.pid()) }

func (p *process) Name() string                    { return p.cmd.Path }
func (p *process) Stdout() io.ReadCloser           { return p.stdout }
func (p *process) Stderr() io.ReadCloser           { return stderr{p.stderr, p.said, p.hear} }
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost admits no address but a socket in the directory that was made for
// this run: a plugin cannot send its host elsewhere.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(filepath.Clean(address)) != filepath.Clean(p.socketDir) {
		return "", "", fmt.Errorf("the plugin listens on %s %q; it must listen on a unix socket in the directory "+
			"named by PLUGIN_UNIX_SOCKET_DIR", network, address)
	}
	return network, address, nil
}

// HostToPlugin leaves addresses as they are: both sides share the file system.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
