// Command node is a node of the mesh that the real stack carries: an HTTP server with a
// number of workers that requests wait for, and a time that each service takes of one.
//
//	node --listen 127.0.0.1:9001 --version v1 --workers 8 --service information=1ms,4ms
//
// A service is the first element of the path, or its first label of the host: it takes so much of a
// processor, then so long of waiting as for a database, both exponential with that mean.
// GET /-/workers answers the number of workers, PUT sets it: what a fault takes away.
// Every answer names the node's version in the header X-Version.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// work is what one request of a service takes, on average.
type work struct{ cpu, wait time.Duration }

// services is a flag that may be given several times.
type services map[string]work

// String is for flag.Value.
func (s services) String() string { return fmt.Sprint(map[string]work(s)) }

// Set reads NAME=CPU,WAIT.
func (s services) Set(text string) error {
	name, times, ok := strings.Cut(text, "=")
	cpu, wait, two := strings.Cut(times, ",")
	if !ok || !two {
		return errors.New("want NAME=CPU,WAIT, as in information=1ms,4ms")
	}
	c, err := time.ParseDuration(cpu)
	w, err2 := time.ParseDuration(wait)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	s[name] = work{c, w}
	return nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve at")
	version := flag.String("version", "v1", "named in each answer")
	workers := flag.Int("workers", 8, "requests that are worked on at once")
	all := services{}
	flag.Var(all, "service", "NAME=CPU,WAIT: what a request takes; once for each service")
	flag.Parse()
	n := &node{version: *version, services: all}
	n.workers = *workers
	server := http.Server{Addr: *listen, Handler: n, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// node lets as many requests through at once as it has workers; the others wait.
type node struct {
	version  string
	services services

	mu            sync.Mutex
	workers, busy int
	waiting       []chan struct{} // each closed when it is its request's turn
}

// ServeHTTP does the work of one request.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/-/workers" {
		n.administer(w, r)
		return
	}
	service, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	is, ok := n.services[service]
	if !ok {
		host, _, _ := strings.Cut(r.Host, ".")
		is = n.services[host]
	}
	n.enter()
	defer n.leave()
	spin(exponential(is.cpu))
	time.Sleep(exponential(is.wait))
	w.Header().Set("X-Version", n.version)
	_, _ = io.WriteString(w, "ok\n") // the client may have gone
}

// enter waits for a worker. Who came first is first: in overload nobody waits for ever.
func (n *node) enter() {
	turn := make(chan struct{})
	n.mu.Lock()
	n.waiting = append(n.waiting, turn)
	n.admit()
	n.mu.Unlock()
	<-turn
}

func (n *node) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy--
	n.admit()
}

// admit gives free workers to those who wait. The caller holds the lock.
func (n *node) admit() {
	for n.busy < n.workers && len(n.waiting) > 0 {
		close(n.waiting[0])
		n.waiting = n.waiting[1:]
		n.busy++
	}
}

func (n *node) administer(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(io.LimitReader(r.Body, 100))
		to, err2 := strconv.Atoi(strings.TrimSpace(string(body)))
		if err := errors.Join(err, err2); err != nil || to < 1 {
			http.Error(w, "want a number of workers above 0", http.StatusBadRequest)
			return
		}
		n.workers = to
		n.admit()
	}
	_, _ = fmt.Fprintln(w, n.workers) // the client may have gone
}

// spin keeps a processor busy.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func exponential(mean time.Duration) time.Duration {
	//nolint:forbidigo // a node of a real mesh is not to be the same twice
	return min(time.Duration(rand.ExpFloat64()*float64(mean)), 20*mean)
}
