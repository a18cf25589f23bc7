package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ready bounds how long a part may take to be ready, on a busy machine.
const ready = time.Minute

// User is somebody whom the API server knows by a token.
type User struct {
	Name  string
	Group string // empty: none
}

// Admin may do everything.
var Admin = User{Name: "admin", Group: "system:masters"}

// startEtcd starts an empty etcd.
func (s *Stack) startEtcd(ctx context.Context) error {
	client, peer := "http://"+s.etcd, "http://"+freeAddress()
	p, err := s.start("etcd", nil, "--data-dir", filepath.Join(s.dir, "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, client+"/health")
		return err
	})
}

// StartAPIServer starts a kube-apiserver with the tokens of the users, RBAC and an audit
// log; again, after it was killed.
func (s *Stack) StartAPIServer(ctx context.Context) error {
	certs := filepath.Join(s.dir, "certs")
	p, err := s.start("kube-apiserver", nil,
		"--etcd-servers=http://"+s.etcd, "--bind-address=127.0.0.1", "--secure-port="+port(s.apiserver), "--cert-dir="+certs,
		"--service-account-key-file="+s.path("sa.key"), "--service-account-signing-key-file="+s.path("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC", "--token-auth-file="+s.path("tokens.csv"), "--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none", "--audit-policy-file="+s.path("audit.yaml"), "--audit-log-path="+s.AuditLog())
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		if s.http == nil {
			if s.http, err = client(certs); err != nil {
				return err
			}
		}
		_, err := s.Do(ctx, http.MethodGet, "/readyz", "")
		return err
	})
}

// Do asks the API server as Admin, with a body of JSON if there is one.
func (s *Stack) Do(ctx context.Context, method, path, body string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, method, "https://"+s.apiserver+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	q.Header.Set("Authorization", "Bearer token-"+Admin.Name)
	q.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		q.Header.Set("Content-Type", "application/merge-patch+json")
	}
	return answer(s.http, q)
}

// AuditLog is the file in which the API server says who wrote what.
func (s *Stack) AuditLog() string { return s.path("audit.log") }

// client trusts the certificate that the API server made for itself.
func client(certs string) (*http.Client, error) {
	pemBytes, err := os.ReadFile(filepath.Join(certs, "apiserver.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pemBytes) {
		return nil, errors.New("apiserver.crt is no certificate yet")
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// writeKeys writes what the API server reads at its start.
func (s *Stack) writeKeys() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	var tokens strings.Builder
	for i, u := range s.users {
		_, _ = fmt.Fprintf(&tokens, "token-%s,%s,%d,%q\n", u.Name, u.Name, i+1, u.Group)
	}
	// Who wrote what, without the bodies.
	audit := "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n" +
		"- level: Metadata\n  verbs: [create, update, patch, delete]\n- level: None\n"
	return errors.Join(
		os.WriteFile(s.path("sa.key"), block, 0o600),
		os.WriteFile(s.path("tokens.csv"), []byte(tokens.String()), 0o600),
		os.WriteFile(s.path("audit.yaml"), []byte(audit), 0o600))
}

// Kubeconfig writes the file by which a user reaches the API server, and returns its path.
func (s *Stack) Kubeconfig(u User) (string, error) {
	file := s.path("kubeconfig-" + u.Name)
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: stack
clusters: [{name: stack, cluster: {server: "https://%s", certificate-authority: %q}}]
users: [{name: %s, user: {token: token-%s}}]
contexts: [{name: stack, context: {cluster: stack, user: %s}}]
`, s.apiserver, filepath.Join(s.dir, "certs", "apiserver.crt"), u.Name, u.Name, u.Name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// Kubectl runs kubectl as a user, with stdin, and returns what it printed.
func (s *Stack) Kubectl(ctx context.Context, u User, stdin string, args ...string) (string, error) {
	kubeconfig, err := s.Kubeconfig(u)
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, filepath.Join(s.programs, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	var out, complaint bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &complaint
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// Apply creates or changes objects, given as YAML.
func (s *Stack) Apply(ctx context.Context, yaml string) error {
	_, err := s.Kubectl(ctx, Admin, yaml, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// get asks a part that needs no certificate, for 5 s at most.
func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	return answer(http.DefaultClient, q)
}

// answer returns the body of an answer that says that it went well.
func answer(client *http.Client, q *http.Request) (string, error) {
	a, err := client.Do(q)
	if err != nil {
		return "", err
	}
	defer func() { _ = a.Body.Close() }() // it was read
	b, err := io.ReadAll(a.Body)
	if a.StatusCode >= http.StatusMultipleChoices {
		return "", fmt.Errorf("%s %s: %s: %.1000s", q.Method, q.URL, a.Status, b)
	}
	return string(b), err
}

// freeAddress is a port of loopback that was free a moment ago.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0" // whoever listens there says what is wrong
	}
	defer func() { _ = l.Close() }() // nobody was let in
	return l.Addr().String()
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return p
}
