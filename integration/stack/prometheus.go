package stack

import (
	"context"
	_ "embed"
	"os"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed prometheus.yaml.tmpl
var prometheusText string

var prometheusTemplate = template.Must(template.New("prometheus.yaml").Parse(prometheusText))

// PrometheusOptions are how a mesh is measured.
type PrometheusOptions struct {
	Rules    string        // of a rule file, with a look-back of [5s] in its ranges
	LookBack time.Duration // in its place
	Interval time.Duration // of scrapes, and of evaluations

	Alertmanager string // address; empty: none
}

// Prometheus is a running one.
type Prometheus struct {
	*Process

	Address string
	alerts  string // file
	start   func() (*Process, error)
}

// resend is how often Alertmanager is told of an alert that goes on. By default that is each
// minute, which a test that kills Alertmanager would have to wait for.
const resend = 5 * time.Second

// URL is where it answers.
func (p *Prometheus) URL() string { return "http://" + p.Address }

// StartPrometheus measures the gateway of the shop.
func (s *Stack) StartPrometheus(ctx context.Context, shop *Shop, o PrometheusOptions) (*Prometheus, error) {
	p := &Prometheus{Address: freeAddress(), alerts: s.path("alerts.yml")}
	var config strings.Builder
	err := prometheusTemplate.Execute(&config, map[string]any{
		"Interval": o.Interval, "Gateway": shop.Gateway.Admin, "Ports": shop.Ports, "Alertmanager": o.Alertmanager,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path("prometheus.yml"), []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	rules := strings.ReplaceAll(o.Rules, "[5s]", "["+o.LookBack.String()+"]")
	if err := os.WriteFile(s.path("rules.yml"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	p.start = func() (*Process, error) {
		return s.start("prometheus", nil, "--config.file", s.path("prometheus.yml"), "--storage.tsdb.path", s.path("prometheus"),
			"--web.listen-address", p.Address, "--rules.alert.resend-delay", resend.String(), "--log.level", "warn")
	}
	return p, p.Restart(ctx)
}

// Restart starts it again, after it was killed.
func (p *Prometheus) Restart(ctx context.Context) (err error) {
	if p.Process, err = p.start(); err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		_, err := get(ctx, p.URL()+"/-/ready")
		return err
	})
}

// SetAlerts has it evaluate alerting rules, the text of a rule file, in place of those before.
// What fires goes on to fire where a rule of the same name and labels does.
func (p *Prometheus) SetAlerts(rules string) error {
	if err := os.WriteFile(p.alerts, []byte(rules), 0o600); err != nil {
		return err
	}
	return syscall.Kill(p.PID(), syscall.SIGHUP)
}
