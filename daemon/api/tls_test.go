package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, dir: t.TempDir(), key: key, pool: x509.NewCertPool()}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true}
	pair := a.sign("root", a.cert, key)
	if a.cert, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// sign returns a certificate, which is in NAME.pem and NAME.key as well.
func (a *authority) sign(name string, template *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	a.t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		write(a.t, filepath.Join(a.dir, name+file), string(pem.EncodeToMemory(b)))
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) issue(name string, usage x509.ExtKeyUsage) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, key)
}

// Who has a certificate of the named authority may act; who has none, or one of another, not.
func TestClientCertificates(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	a.issue("server", x509.ExtKeyUsageServerAuth)
	ann, eve := a.issue("ann", x509.ExtKeyUsageClientAuth), other.issue("eve", x509.ExtKeyUsageClientAuth)
	server := "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
	for _, c := range []struct {
		what, web string
		cert      *tls.Certificate
		code      int // 0: no connection
	}{
		{"certificates of the authority, with one", "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: root.pem\n", &ann, 200},
		{"certificates of the authority, without", "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: root.pem\n", nil, 403},
		{"certificates of the authority, with another's", "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: root.pem\n", &eve, 0},
		{"any certificate, not verified", "  client_auth_type: RequireAnyClientCert\n  client_ca_file: root.pem\n", &eve, 403},
		{"TLS alone", "", nil, 403},
	} {
		r := start(t, func(o *Options) { o.WebConfigFile = write(t, filepath.Join(a.dir, "web.yml"), server+c.web) })
		r.url = strings.Replace(r.url, "http:", "https:", 1)
		config := &tls.Config{RootCAs: a.pool}
		if c.cert != nil {
			config.Certificates = []tls.Certificate{*c.cert}
		}
		r.http.Transport = &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		if c.code == 0 {
			if answer, err := r.http.Get(r.url + "/api/v1/status"); err == nil { //nolint:bodyclose // there is none
				t.Errorf("%s: %s, want no connection", c.what, answer.Status)
			}
			continue
		}
		if code, body, _ := r.do(http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, nil); code != c.code {
			t.Errorf("%s: %d %s, want %d", c.what, code, body, c.code)
		}
		if c.code == 200 && strings.Join(r.acted, ",") != "shop observe by the owner of certificate CN=ann" {
			t.Errorf("done: %q", r.acted)
		}
	}
}

func TestBadWebConfigDoesNotStart(t *testing.T) {
	r := &rig{t: t}
	o := r.options()
	defer func() { _ = o.Listener.Close() }()
	o.WebConfigFile = write(t, filepath.Join(t.TempDir(), "web.yml"), "basic_auth_users: {ann: not-a-hash}\n")
	if _, err := NewServer(o); err == nil || !strings.Contains(err.Error(), "web.yml") {
		t.Errorf("a password in place of its hash: %v", err)
	}
}
