package alerts

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// Secrets say who may send. The files are read for each message, so that a secret is
// changed without a reload. The zero value asks for nothing.
type Secrets struct {
	CredentialsFile string // of "Authorization: Bearer"; empty: not accepted
	Username        string // of basic authentication
	PasswordFile    string // likewise; empty: not accepted
}

const maxSecret = 64 << 10 // bytes of a file

// admit says whether the sender may send; if not it returns the status to answer, and why.
//
// Who may act may also send: known says that the server has found that. Without secrets
// so may any process of this machine, by loopback. That is enough for what a message can do: have
// one cycle come early, and be read by people. A browser is one of these processes, and the
// pages that it shows are not: they are refused. So is what came through a proxy, which may
// be anybody's.
func (s Secrets) admit(r *http.Request, known bool) (status int, why error) {
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return http.StatusForbidden, errors.New("a web page may not send alerts")
	}
	if known {
		return 0, nil
	}
	if s == (Secrets{}) {
		if local(r) {
			return 0, nil
		}
		return http.StatusForbidden, errors.New("alerts from other machines need a secret: set credentials_file, or basic_auth, in [alerts] of windvane.toml, or start windvane with --web.config.file")
	}
	ok, err := s.match(r)
	switch {
	case err != nil: // Alertmanager tries again, until somebody has mended it
		return http.StatusServiceUnavailable, err
	case !ok:
		return http.StatusUnauthorized, errors.New("the authorization is missing or wrong")
	}
	return 0, nil
}

// match compares in a time that does not depend on the secrets.
func (s Secrets) match(r *http.Request) (bool, error) {
	header := r.Header.Get("Authorization")
	if s.CredentialsFile != "" {
		secret, err := readSecret(s.CredentialsFile)
		if err != nil || equal(header, "Bearer "+secret) {
			return err == nil, err
		}
	}
	if s.PasswordFile != "" {
		secret, err := readSecret(s.PasswordFile)
		if err != nil {
			return false, err
		}
		name, password, ok := r.BasicAuth()
		nameOK, passwordOK := equal(name, s.Username), equal(password, secret)
		return ok && nameOK && passwordOK, nil
	}
	return false, nil
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// readSecret reads a secret without the white space around it, as Prometheus and
// Alertmanager do. An empty one is an error: it would let anybody in.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the secret of [alerts]: %w", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch b = bytes.TrimSpace(b); {
	case err != nil:
		return "", fmt.Errorf("the secret of [alerts]: %w", err)
	case len(b) == 0 || len(b) > maxSecret:
		return "", fmt.Errorf("the secret of [alerts]: %s is empty or longer than %d bytes", path, maxSecret)
	}
	return string(b), nil
}

// local says that a request comes from this machine, by loopback.
func local(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}
