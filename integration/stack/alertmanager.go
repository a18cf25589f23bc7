package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Receiver is a windvane that an Alertmanager notifies.
type Receiver struct {
	Address string
	Secret  string // file with what it asks for
}

// Alertmanager is a running one.
type Alertmanager struct {
	*Process

	Address  string
	Receiver Receiver
	start    func() (*Process, error)
}

// URL is where it answers.
func (a *Alertmanager) URL() string { return "http://" + a.Address }

// StartAlertmanager notifies a windvane by the configuration that it documents, a file in which
// only the address and the secret's file are replaced.
func (s *Stack) StartAlertmanager(ctx context.Context, documented string, r Receiver) (*Alertmanager, error) {
	a := &Alertmanager{Address: freeAddress(), Receiver: r}
	config, err := os.ReadFile(documented)
	if err != nil {
		return nil, err
	}
	text := string(config)
	for was, is := range map[string]string{
		"url: http://127.0.0.1:9480/":       "url: http://" + r.Address + "/",
		"/etc/alertmanager/windvane.secret": r.Secret,
	} {
		if strings.Count(text, was) != 1 {
			return nil, fmt.Errorf("%s is not once in %s", was, documented)
		}
		text = strings.Replace(text, was, is, 1)
	}
	if err := os.WriteFile(s.path("alertmanager.yml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	// It reads them from the directory that it runs in: see integration/tools/build.sh.
	for _, template := range []string{"default.tmpl", "email.tmpl"} {
		err := os.Symlink(s.Tool("alertmanager.d/"+template), s.path(template))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	a.start = func() (*Process, error) {
		return s.start("alertmanager", nil, "--config.file", s.path("alertmanager.yml"), "--storage.path", s.path("alertmanager"),
			"--web.listen-address", a.Address, "--cluster.listen-address", "", "--log.level", "debug")
	}
	return a, a.Restart(ctx)
}

// Restart starts it again, after it was killed.
func (a *Alertmanager) Restart(ctx context.Context) (err error) {
	if a.Process, err = a.start(); err != nil {
		return fmt.Errorf("%w; `integration/tools/build.sh alertmanager` fetches it, and prints the directory for WINDVANE_PROGRAMS", err)
	}
	return a.await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, a.URL()+"/-/ready")
		return err
	})
}
