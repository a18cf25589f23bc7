package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leak: a plugin leaks if it has grown by more than this from the second tenth of the calls to
// the last one, and still grew in the second half.
const leak = 8 << 20

// memoryTime bounds how long the memory of a slow plugin is watched.
const memoryTime = time.Minute

// memory watches the private memory of the plugin's process over many calls.
func (r *run) memory(ctx context.Context) (string, error) {
	restarts := r.host.Status().Restarts
	r.first(ctx)
	usual := slices.Sorted(slices.Values(r.times))[len(r.times)/2]
	calls := min(r.o.Calls, max(100, int(memoryTime/usual)))
	tenths := make([]int, 10) // the least of each tenth, in bytes
	for i := range calls {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		r.ask(ctx, r.samples[i%len(r.samples)])
		if i%10 != 9 {
			continue
		}
		now, err := privateMemory(r.host.Status().PID)
		if err != nil {
			return "", fmt.Errorf("it ended after %d calls: %s", i+1, r.fate())
		}
		if t := &tenths[i*10/calls]; *t == 0 || now < *t {
			*t = now
		}
	}
	if s := r.host.Status(); s.Restarts != restarts {
		return "", fmt.Errorf("it ended within %d calls: %s", calls, s.LastError)
	}
	grown := tenths[9] - tenths[1]
	note := fmt.Sprintf("%d calls: from %s to %s", calls, mebibytes(tenths[1]), mebibytes(tenths[9]))
	if grown > leak && tenths[9]-tenths[5] > grown/4 {
		return note, fmt.Errorf("it grew from %s to %s in %d calls: %d bytes a call", mebibytes(tenths[1]), mebibytes(tenths[9]),
			calls*8/10, grown/(calls*8/10))
	}
	return note, nil
}

func mebibytes(n int) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// privateMemory is what a process holds that is not of a file, in bytes.
func privateMemory(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), "RssAnon:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(line), " kB"))
	if !ok || err != nil {
		return 0, fmt.Errorf("/proc/%d/status has no RssAnon in kB", pid)
	}
	return n << 10, nil
}

// backAfter is how soon a plugin has to be up again, of which nobody has said that it needs
// long to start.
const backAfter = 5 * time.Second

// kill ends the process as a crash would.
func (r *run) kill(ctx context.Context) (string, error) {
	r.first(ctx)
	pid, family := r.host.Status().PID, descendants(r.host.Status().PID)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	killed := time.Now()
	for s := r.host.Status(); !s.Up || s.PID == pid; s = r.host.Status() {
		if time.Since(killed) > r.o.StartTimeout || ctx.Err() != nil {
			return "", fmt.Errorf("it is not back after %s: %s", r.o.StartTimeout, s.LastError)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(killed)
	var errs []error
	if took > backAfter && r.o.StartTimeout <= usualStart {
		errs = append(errs, fmt.Errorf("it is back only after %s", took.Round(time.Millisecond)))
	}
	errs = append(errs, left(family))
	var order []int
	for i := range min(20, len(r.samples)) {
		order = append(order, i)
	}
	errs = append(errs, r.again(ctx, order))
	return fmt.Sprintf("back after %s", took.Round(time.Millisecond)), flatten(errs)
}

// flatten joins errors, and the parts of those that are joined, as findings takes them.
func flatten(errs []error) error {
	var out []error
	for _, err := range errs {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			out = append(out, joined.Unwrap()...)
		} else {
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}

// end asks the plugin to end.
func (r *run) end(ctx context.Context) (string, error) {
	const patience = 1500 * time.Millisecond // the host kills after 2 s
	r.ask(ctx, r.o.Observation)              // a plugin that was not asked yet may have started nothing
	family := append(descendants(r.host.Status().PID), r.host.Status().PID)
	began := time.Now()
	r.host.Stop(ctx)
	took := time.Since(began)
	var errs []error
	if took > patience {
		errs = append(errs, errors.New("it did not end by itself, and was killed"))
	}
	errs = append(errs, left(family))
	if files, err := filepath.Glob(filepath.Join(r.sockets, "*")); err != nil || len(files) > 0 {
		errs = append(errs, fmt.Errorf("it left sockets: %s", strings.Join(files, " ")))
	}
	return fmt.Sprintf("after %s", took.Round(time.Millisecond)), flatten(errs)
}

// left says which of the processes are still there, a moment later.
func left(pids []int) error {
	var errs []error
	for _, pid := range pids {
		for end := time.Now().Add(time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				errs = append(errs, fmt.Errorf("process %d (%s), which it started, is still there", pid, strings.TrimSpace(string(name))))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	_, state := parent(pid)
	return state != "" && state != "Z"
}

// parent is a process's parent, and its state; 0 and "" where there is no such process.
func parent(pid int) (ppid int, state string) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, ""
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name before may have anything
	if len(fields) < 2 {
		return 0, ""
	}
	ppid, _ = strconv.Atoi(fields[1])
	return ppid, fields[0]
}

// descendants are the processes that a process has started, and theirs, as far as their
// parents are there.
func descendants(of int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			ppid, _ := parent(pid)
			children[ppid] = append(children[ppid], pid)
		}
	}
	out := children[of]
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}
