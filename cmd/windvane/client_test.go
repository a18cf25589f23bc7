package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// daemonStub answers as its path says, on an address and on a socket.
func daemonStub(t *testing.T) (address, socket string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /good", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = w.Write([]byte(`{"name": "` + user + password + r.Header.Get("Authorization") + `"}`))
	})
	mux.HandleFunc("PUT /refused", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error": "no, ` + r.Header.Get("Content-Type") + `"}`))
	})
	mux.HandleFunc("GET /locked", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir, err := os.MkdirTemp("", "wv") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "windvane.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	local.Start()
	t.Cleanup(local.Close)
	return server.URL, socket
}

func TestClientReachesADaemon(t *testing.T) {
	address, socket := daemonStub(t)
	config := filepath.Join(t.TempDir(), "http.yml")
	if err := os.WriteFile(config, []byte("basic_auth: {username: ann, password: secret}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNTIME_DIRECTORY", filepath.Dir(socket)+":/elsewhere")
	for name, c := range map[string]struct {
		client client
		want   string
	}{
		"by address":              {client{url: address + "/"}, ""},
		"by socket":               {client{url: "unix:" + socket}, ""},
		"by the runtime's socket": {client{}, ""},
		"with a password":         {client{url: address, httpConfig: config}, "annsecretBasic YW5uOnNlY3JldA=="},
	} {
		var got struct{ Name string }
		if err := c.client.get("/good", &got); err != nil || got.Name != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got.Name, err, c.want)
		}
	}
}

func TestClientSaysWhatToDoAboutTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for address, want := range map[string]string{server.URL: "ca_file, in tls_config of --http.config.file", strings.Replace(server.URL, "https", "http", 1): "it wants https://"} {
		c := client{url: address}
		err := c.get("/good", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
		if _, dead := errors.AsType[unreachableError](err); dead {
			t.Errorf("%s: taken for dead: %v", address, err)
		}
	}
}

func TestClientSaysWhatToDo(t *testing.T) {
	address, socket := daemonStub(t)
	none := filepath.Join(t.TempDir(), "none.yml")
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	for _, c := range []struct {
		client       client
		method, path string
		want         string
		usage        bool
	}{
		{client{url: "http://127.0.0.1:1"}, http.MethodGet, "/good", "no daemon answers at http://127.0.0.1:1: ", false},
		{client{url: "unix:" + socket + "x"}, http.MethodGet, "/good", "start one, or give --url", false},
		{client{}, http.MethodGet, "/good", "no daemon answers at http://127.0.0.1:9480: ", false},
		{client{url: address}, http.MethodPut, "/refused", "no, application/json", false},
		{client{url: address}, http.MethodGet, "/locked", "401 Unauthorized; name its user and password in --http.config.file", false},
		{client{url: address}, http.MethodGet, "/nothing", "404 Not Found; is it windvane?", false},
		{client{url: address}, http.MethodGet, "/page", "is it windvane?", false},
		{client{url: "localhost:9480"}, http.MethodGet, "/good", "neither http://HOST:PORT", true},
		{client{url: address, httpConfig: none}, http.MethodGet, "/good", "none.yml: no such file", true},
		{client{url: "unix:" + socket, httpConfig: none}, http.MethodGet, "/good", "is for HTTP", true},
	} {
		var out struct{ Name string }
		err := c.client.do(c.method, c.path, struct{}{}, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v %s %s: %v, want %q", c.client, c.method, c.path, err, c.want)
		}
		if _, usage := err.(usageError); usage != c.usage { //nolint:errorlint // main asks for it like this
			t.Errorf("%+v %s: usage error %v, want %v", c.client, c.path, usage, c.usage)
		}
	}
}
