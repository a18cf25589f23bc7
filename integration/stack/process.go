package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one part of the stack. It is a process group of its own, and does not
// outlive the test.
type Process struct {
	Name string
	Log  string // file with what it wrote to stdout and stderr

	cmd  *exec.Cmd
	file *os.File
	done chan struct{} // closed when it has ended
	end  sync.Once
}

// start runs a program, with its log appended to NAME.log in the directory.
func start(dir, name, program string, env []string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	var err error
	if p.file, err = os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.file, p.file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), p.file.Close())
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log, and who needs it alive asks it
		_ = p.file.Close()
		close(p.done)
	}()
	return p, nil
}

// Kill is kill -9 of the process group. It returns when the process has ended.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.done
}

// Stop asks the process to end, and kills it if it takes longer than the grace.
func (p *Process) Stop(grace time.Duration) {
	p.end.Do(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(grace):
		}
		p.Kill()
	})
}

// Pause stops the process where it is; Continue lets it go on.
func (p *Process) Pause() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGSTOP) }

// Continue is the opposite of Pause.
func (p *Process) Continue() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT) }

// PID is the process's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// await asks until isReady has no error, the process has ended, or the time is over. The
// error has the end of the log.
func (p *Process) await(ctx context.Context, isReady func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = isReady(ctx); last == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s has ended: %w\n%s", p.Name, last, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w\n%s", p.Name, ready, last, p.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of the log.
func (p *Process) tail() string {
	const lines = 20
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return p.Log + ":\n  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
