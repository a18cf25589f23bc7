package daemon

import (
	"context"
	"fmt"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/sim/dataset"
)

// HistoryOptions say where the history of a mesh is.
type HistoryOptions struct {
	lifecycle.Options

	StateDirectory string // the daemon's, with the journal; empty: none
	PrometheusURL  string // empty: Prometheus is not asked
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
