package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"golang.org/x/crypto/bcrypt"
	"sigs.k8s.io/yaml"
)

// socketUser is who acts by the socket where the system does not say it.
const socketUser = "a user of the socket"

// peerKey is that of the peer's name in the context of a connection by the socket.
type peerKey struct{}

// withPeer keeps who is at the other end of a socket's connection.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerName(c))
}

// caller says who a request that acts comes from, or why it may not act. It trusts
// nothing that was checked before: the file of users may have changed in between.
func (s *Server) caller(r *http.Request) (string, error) {
	if name, ok := r.Context().Value(peerKey{}).(string); ok {
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			return "", errors.New("a web page may not act by the socket")
		}
		return name, nil
	}
	if s.o.WebConfigFile == "" {
		return "", errors.New("nobody may act here without authentication: " + s.how())
	}
	known, err := readWebConfig(s.o.WebConfigFile)
	if err != nil {
		return "", err
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && known.TLS.ClientCA+known.TLS.ClientCAFile != "" {
		return "the owner of certificate " + r.TLS.VerifiedChains[0][0].Subject.String(), nil
	}
	name, password, _ := r.BasicAuth()
	if hash, ok := known.Users[name]; ok && s.matches(hash, password) {
		return name, nil
	}
	return "", fmt.Errorf("nobody may act here without authentication, and %s has neither basic_auth_users nor a client_ca_file for this request: %s", s.o.WebConfigFile, s.how())
}

// Caller says who asks, and whether he may act.
type Caller struct {
	MayAct bool   `json:"may_act"`
	By     string `json:"by,omitempty"`  // in whose name it would be remembered
	Why    string `json:"why,omitempty"` // he may not, and what to do about it
}

func (s *Server) whoAsks(r *http.Request) Caller {
	by, err := s.caller(r)
	if err != nil {
		return Caller{Why: err.Error()}
	}
	return Caller{MayAct: true, By: by}
}

// matches reports whether a password is the one of a bcrypt hash. That takes a tenth of a second
// on purpose, so that the pair that matched last is remembered.
func (s *Server) matches(hash, password string) bool {
	pair := sha256.Sum256([]byte(hash + "\x00" + password))
	if last := s.matched.Load(); last != nil && *last == pair {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
		return false
	}
	s.matched.Store(&pair)
	return true
}

// callerKey is that of the caller's name in the context of a request.
type callerKey struct{}

// known has a handler told who a request comes from, if it is somebody who may act.
func (s *Server) known(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if by, err := s.caller(r); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, by))
		}
		h.ServeHTTP(w, r)
	})
}

// Known reports whether a request to Options.Alerts comes from somebody who may act.
func Known(r *http.Request) bool { return r.Context().Value(callerKey{}) != nil }

// how says by which ways one may act.
func (s *Server) how() string {
	if s.o.Socket != "" {
		return "use its socket, as windvane's commands do with --url unix:" + s.o.Socket + ", or start windvane with --web.config.file and basic_auth_users in it"
	}
	return "start windvane with --web.config.file and basic_auth_users in it, or with RUNTIME_DIRECTORY set to a directory for its socket"
}

// webConfig is the part of the file of --web.config.file that says who may act.
type webConfig struct {
	Users map[string]string `json:"basic_auth_users"` // bcrypt hashes
	TLS   struct {
		ClientCA     string `json:"client_ca"`
		ClientCAFile string `json:"client_ca_file"`
	} `json:"tls_server_config"`
}

func readWebConfig(file string) (webConfig, error) {
	var out webConfig
	b, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(b, &out)
	}
	if err != nil {
		return out, fmt.Errorf("who may act cannot be read: %w", err)
	}
	return out, nil
}
