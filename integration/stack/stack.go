package stack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options are what a Stack is made of.
type Options struct {
	Programs string // the directory that integration/tools/build.sh prints
	Dir      string // for data, logs and files; it has to exist
	Users    []User // whom the API server knows beside Admin
}

// Stack is a running mesh. Its methods may be called from several goroutines.
type Stack struct {
	programs, dir   string
	users           []User
	etcd, apiserver string // addresses
	istiod          istiod
	http            *http.Client // trusts the API server; nil until that has a certificate

	mu        sync.Mutex
	kubelet   *Kubelet   // nil: there is none
	processes []*Process // in the order of their start
}

// New returns a stack of which nothing runs yet.
func New(o Options) *Stack {
	return &Stack{
		programs: o.Programs, dir: o.Dir, users: append([]User{Admin}, o.Users...),
		etcd: freeAddress(), apiserver: freeAddress(),
	}
}

// Start starts etcd, the API server with Istio's types, and istiod. On an error nothing
// is left running.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	s := New(o)
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	for _, program := range []string{"etcd", "kube-apiserver", "kubectl", "pilot-discovery", "envoy", "crds.yaml"} {
		if _, err := os.Stat(filepath.Join(o.Programs, program)); err != nil {
			return nil, fmt.Errorf("stack: %w; integration/tools/build.sh makes it", err)
		}
	}
	if err := s.startEtcd(ctx); err != nil {
		return nil, err
	}
	if err := s.writeKeys(); err != nil {
		return nil, err
	}
	if err := s.StartAPIServer(ctx); err != nil {
		return nil, err
	}
	if err := s.startIstiod(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop ends all processes, the last started first. A second Stop does nothing.
func (s *Stack) Stop() {
	s.mu.Lock()
	kubelet := s.kubelet
	s.kubelet = nil
	s.mu.Unlock()
	if kubelet != nil {
		kubelet.Stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range slices.Backward(s.processes) {
		p.Stop(2 * time.Second)
	}
	s.processes = nil
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
}

// Process returns the running process of that name, the newest if there were several;
// nil: there is none.
func (s *Stack) Process(name string) *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range slices.Backward(s.processes) {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// start starts one of the programs.
func (s *Stack) start(program string, env []string, args ...string) (*Process, error) {
	return s.Run(program, filepath.Join(s.programs, program), env, args...)
}

// Run starts any program as a part of the stack.
func (s *Stack) Run(name, program string, env []string, args ...string) (*Process, error) {
	p, err := start(s.dir, name, program, env, args...)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
	return p, nil
}

// path is that of a file of the stack.
func (s *Stack) path(name string) string { return filepath.Join(s.dir, name) }

// Tool is the path of one of the programs.
func (s *Stack) Tool(name string) string { return filepath.Join(s.programs, name) }
