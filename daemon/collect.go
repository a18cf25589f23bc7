package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/dump"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/sim/dataset"
)

// HistoryOptions say where the history of a mesh is.
type HistoryOptions struct {
	lifecycle.Options

	StateDirectory string // the daemon's, with the journal; empty: none
	PrometheusURL  string // empty: Prometheus is not asked
	Dump           string // a file of Prometheus' samples, in place of it; empty: none
	HTTPFile       string // Prometheus' http_config; empty: none is needed
	QueryOffset    time.Duration
	Timeout        time.Duration // of one question
}

// retryPause is how long a question that failed waits before it is asked again.
const retryPause = time.Second

// Collect makes a dataset of a mesh's history. It needs no daemon.
func Collect(ctx context.Context, o HistoryOptions) (*dataset.Dataset, *lifecycle.Report, error) {
	history, closeHistory, err := o.history()
	if err != nil {
		return nil, nil, err
	}
	defer closeHistory()
	return lifecycle.CollectFrom(ctx, history)
}

// history is what the options name, with its connections.
func (o HistoryOptions) history() (out lifecycle.Options, closed func(), err error) {
	out, closed = o.Options, func() {}
	if o.StateDirectory != "" {
		out.Journal = JournalDirectory(o.StateDirectory)
	}
	if o.Dump != "" {
		return out, closed, o.open(&out)
	}
	if o.PrometheusURL == "" {
		return out, closed, nil
	}
	if why := config.BadURL(o.PrometheusURL); why != "" {
		return out, closed, fmt.Errorf("the URL of Prometheus %s", why)
	}
	p := config.Prometheus{Name: "main", URL: o.PrometheusURL, HTTP: promconfig.DefaultHTTPClientConfig}
	if o.HTTPFile != "" {
		c, _, err := promconfig.LoadHTTPConfigFile(o.HTTPFile)
		if err != nil {
			return out, closed, fmt.Errorf("%s: %w", o.HTTPFile, err)
		}
		p.HTTP = *c
	}
	client, err := newPrometheusClient(p)
	if err != nil {
		return out, closed, err
	}
	out.Prometheus = &lifecycle.Prometheus{API: client.whole, Offset: o.QueryOffset, Timeout: o.Timeout, Pause: retryPause}
	return out, client.http.CloseIdleConnections, nil
}

// open reads the dump, as far as the rules ask for it. From and To that are not given, or lie
// beyond it, are its own.
func (o HistoryOptions) open(out *lifecycle.Options) error {
	var asked []string
	for _, q := range o.Rules.Queries() {
		asked = append(asked, q.Expr)
	}
	all := strings.Join(asked, "\n")
	d, err := dump.Open(o.Dump, func(name string) bool {
		return name == "ALERTS" || strings.HasPrefix(name, "windvane_") || strings.Contains(all, name)
	})
	if err != nil {
		return err
	}
	if out.From.Before(d.From) {
		out.From = d.From
	}
	if out.To.IsZero() || out.To.After(d.To) {
		out.To = d.To
	}
	if !out.From.Before(out.To) {
		return fmt.Errorf("%s has samples from %s to %s, and none in the time that is asked for", o.Dump, d.From.Format(time.RFC3339), d.To.Format(time.RFC3339))
	}
	out.Prometheus = &lifecycle.Prometheus{API: d, Offset: o.QueryOffset, Timeout: o.Timeout, Pause: retryPause}
	return nil
}
