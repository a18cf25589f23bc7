package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	promconfig "github.com/prometheus/common/config"
	"golang.org/x/sys/unix"

	"github.com/windvane/windvane/daemon/api"
)

const (
	clientTimeout = 10 * time.Second
	answerLimit   = 64 << 20 // bytes of one answer
)

// client reaches a daemon, by HTTP or by the socket in its runtime directory.
type client struct {
	url        string // empty: the socket, if it is there
	httpConfig string // file
}

// addClient adds the flags by which a command reaches a daemon.
func addClient(c *kingpin.CmdClause) *client {
	out := &client{}
	c.Flag("url", "The daemon's address, http://…, https://… or unix:PATH of its socket. Left out: "+
		api.SocketPath(runtimeDirectory())+" if it may be used, else http://"+defaultAddress+".").StringVar(&out.url)
	c.Flag("http.config.file", "How to authenticate by HTTP: basic_auth, authorization and tls_config, as in promtool's file of this name.").
		PlaceHolder("FILE").StringVar(&out.httpConfig)
	return out
}

// runtimeDirectory is where the daemon's sockets are: systemd names it to the daemon.
func runtimeDirectory() string {
	if dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	return "/run/windvane"
}

// get reads what the daemon answers at a path, such as /api/v1/status, into out.
func (c *client) get(path string, out any) error { return c.do(http.MethodGet, path, nil, out) }

// do sends in as JSON, unless it is nil, and reads the answer into out, unless it is nil.
// What the daemon says of an error is in the error.
func (c *client) do(method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	base, transport, err := c.reach()
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return usageError{fmt.Errorf("--url: %w", err)}
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := transport.Do(request)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	b, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%s breaks off its answer: %w", c.name(), err)
	}
	if answer.StatusCode/100 != 2 {
		return c.refused(answer, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s answers %s with something else than windvane's JSON: %w; is it windvane?", c.name(), path, err)
	}
	return nil
}

// name is the address in use.
func (c *client) name() string {
	if c.url != "" {
		return strings.TrimSuffix(c.url, "/")
	}
	if socket := api.SocketPath(runtimeDirectory()); unix.Access(socket, unix.W_OK) == nil {
		return "unix:" + socket
	}
	return "http://" + defaultAddress
}

// reach returns what paths are appended to, and what sends requests there.
func (c *client) reach() (string, *http.Client, error) {
	name := c.name()
	if socket, ok := strings.CutPrefix(name, "unix:"); ok {
		if c.httpConfig != "" {
			return "", nil, usageError{fmt.Errorf("--http.config.file is for HTTP, and %s is a socket; give --url, or leave the file out", socket)}
		}
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(socket, "//"))
		}}
		return "http://localhost", &http.Client{Transport: transport}, nil
	}
	if u, err := url.Parse(name); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", nil, usageError{fmt.Errorf("--url: %q is neither http://HOST:PORT, https://HOST:PORT nor unix:PATH", name)}
	}
	config := &promconfig.DefaultHTTPClientConfig
	if c.httpConfig != "" {
		var err error
		if config, _, err = promconfig.LoadHTTPConfigFile(c.httpConfig); err != nil {
			return "", nil, usageError{fmt.Errorf("--http.config.file: %w", err)}
		}
	}
	out, err := promconfig.NewClientFromConfig(*config, "windvane")
	if err != nil {
		return "", nil, usageError{fmt.Errorf("--http.config.file: %w", err)}
	}
	return name, out, nil
}

// unreachableError says that no daemon answers.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error { return e.error }

// unreachable says what to do when no daemon answers.
func (c *client) unreachable(err error) error {
	if asURL, ok := errors.AsType[*url.Error](err); ok {
		err = asURL.Err // without the URL, which may have a password in it
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return fmt.Errorf("%s is not trusted: %w; name who signed its certificate as ca_file, in tls_config of --http.config.file", c.name(), err)
	}
	hint := "start one, or give --url"
	switch {
	case errors.Is(err, os.ErrPermission):
		hint = "be of the group that owns the socket, or give --url"
	case errors.Is(err, context.DeadlineExceeded):
		hint = "its log says what it is busy with"
	}
	return unreachableError{fmt.Errorf("no daemon answers at %s: %w; %s", c.name(), err, hint)}
}

// refused is the error of an answer that is none.
func (c *client) refused(answer *http.Response, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return errors.New(said.Error)
	}
	hint := "is it windvane?"
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		hint = "name its user and password in --http.config.file"
	case answer.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "HTTPS server"): // net/http's words
		hint = "it wants https://"
	}
	return fmt.Errorf("%s answers %s; %s", c.name(), answer.Status, hint)
}
