package testbed

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// maxBody is the API server's limit of the size of a request.
const maxBody = 3 << 20

// patience is how long close waits for requests under way. It is also spent on a
// connection that a client opened and never used, so it is short.
const patience = time.Second

// server is an HTTP server and the goroutine that runs it.
type server struct {
	url  string
	http *http.Server
	done chan error
}

func serve(l net.Listener, h http.Handler) (*server, error) {
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	s := &server{
		url: "http://" + l.Addr().String(),
		// No ReadTimeout and no IdleTimeout: a connection closed while a client thinks or
		// trains can fail its next request, and no wall-clock deadline may change a result.
		http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// close lets requests finish for a while, then cuts them off, which is no error.
func (s *server) close() error {
	//nolint:forbidigo // the end of a server is nobody's request
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	// A second close finds the same answer.
	s.done <- http.ErrServerClosed
	return err
}

func closeListeners(ls ...net.Listener) {
	for _, l := range ls {
		if l != nil {
			_ = l.Close() // the reason for giving up is reported; this adds nothing
		}
	}
}
