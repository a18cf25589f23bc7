package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

// collecting is what `collect` was asked for.
type collecting struct {
	daemon.HistoryOptions

	rulesFile, out string
	from, to       string
	without        []string
	asJSON         bool

	exploring *exploring
}

// defaultFrom is how far back Prometheus is asked.
const defaultFrom = "7d"

// addCollect adds `collect`.
func addCollect(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	c := app.Command("collect", "Make a dataset of a mesh's history, and report on its quality: from the journal (--state-directory), from Prometheus (--prometheus), "+
		"or with both what was measured from Prometheus and the settings from the journal, where it has them. It needs no daemon, but for --explore.")
	o := collecting{}
	o.historyFlags(c)
	c.Flag("output", "The dataset to write.").Short('o').Required().StringVar(&o.out)
	c.Flag("json", "Print the report as JSON.").BoolVar(&o.asJSON)
	o.exploring = addExplore(c)
	commands["collect"] = func() error { return o.run(time.Now(), stdout, stderr) }
}

// historyFlags adds those that name a history.
func (o *collecting) historyFlags(c *kingpin.CmdClause) {
	c.Flag("rules", "The mesh's rules file (TOML).").Required().StringVar(&o.rulesFile)
	c.Flag("state-directory", "The daemon's state_directory, with the journal.").StringVar(&o.StateDirectory)
	c.Flag("prometheus", "URL of Prometheus.").StringVar(&o.PrometheusURL)
	c.Flag("dump", "OpenMetrics text of Prometheus' samples in place of Prometheus, as `promtool tsdb dump-openmetrics` writes it.").PlaceHolder("FILE").StringVar(&o.Dump)
	c.Flag("http.config.file", "File of Prometheus' http_config, with what it takes to be let in there.").StringVar(&o.HTTPFile)
	c.Flag("query-offset", "As query_offset in windvane.toml.").Default("0s").DurationVar(&o.QueryOffset)
	c.Flag("timeout", "For each question to Prometheus.").Default("2m").DurationVar(&o.Timeout)
	c.Flag("from", "Since when: a time, as 2026-11-25T13:00:00Z, or how long ago, as 30d. By default "+defaultFrom+" with --prometheus, else all that the journal has.").StringVar(&o.from)
	c.Flag("to", "Until when, likewise.").Default("now").StringVar(&o.to)
	c.Flag("without", "FROM/TO: leave out an incident. May be given several times.").StringsVar(&o.without)
	c.Flag("without-alert", "Leave out when the alert of this name fired, whatever it was about. May be given several times.").StringsVar(&o.Alerts)
}

func (o *collecting) run(now time.Time, stdout, stderr io.Writer) error {
	var err error
	if o.Rules, err = rules.Load(o.rulesFile); err != nil {
		return usageError{err}
	}
	if o.exploring.wanted && (o.from != "" || o.to != "now") {
		return usageError{errors.New("collect: --explore collects since it began: leave out --from and --to")}
	}
	if err := o.times(now); err != nil {
		return usageError{fmt.Errorf("collect: %w", err)}
	}
	if err := o.named(); err != nil {
		return usageError{fmt.Errorf("collect: %w", err)}
	}
	ctx, cancel := interruptible()
	defer cancel()
	// Before anything is read: a directory that is not there is found out at once.
	file, err := os.CreateTemp(filepath.Dir(o.out), "."+filepath.Base(o.out)+"-*")
	if err != nil {
		return fmt.Errorf("collect: --output: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // it is gone where all went well
	p := progress.New("collect", stderr)
	defer p.Stop()
	if o.exploring.wanted {
		if o.From, err = o.exploring.explore(ctx, o.Rules.Name, o.Rules.Interval, p); err != nil {
			return err
		}
		o.To = time.Now()
	}
	switch {
	case o.Dump != "":
		p.Note("reading the dump")
	case o.PrometheusURL == "":
		p.Note("reading the journal")
	}
	o.Progress = func(done, of int) { p.Count("intervals", done, of) }
	got, err := unlessStopped(ctx, func() (collected, error) {
		d, r, err := daemon.Collect(ctx, o.HistoryOptions)
		return collected{d, r}, err
	})
	if ctx.Err() != nil {
		err = fmt.Errorf("collect: %w; nothing was written", errStopped)
	}
	if err == nil && got.data.Rows() > 0 {
		p.Note("writing the dataset")
		if err = errors.Join(got.data.Write(file), file.Close()); err == nil {
			err = os.Rename(file.Name(), o.out)
		}
	}
	p.Stop()
	if err != nil {
		return err
	}
	if o.exploring.wanted && !o.asJSON {
		text, err := o.exploring.lines()
		if err != nil {
			return fmt.Errorf("%s is written; what exploring has cost is not known: %w", o.out, err)
		}
		if _, err := io.WriteString(stdout, text); err != nil {
			return err
		}
	}
	return o.tell(stdout, got.data, got.report)
}

// collected is what came of it.
type collected struct {
	data   *dataset.Dataset
	report *lifecycle.Report
}

// tell prints the report. Without any row there is no dataset, and no quality.
func (o *collecting) tell(w io.Writer, d *dataset.Dataset, r *lifecycle.Report) error {
	var none error
	switch {
	case d.Rows() > 0:
	case r.Intervals == 0:
		none = fmt.Errorf("collect: %s has no interval of mesh %s in that time, and no dataset was written", daemon.JournalDirectory(o.StateDirectory), r.Mesh)
	case o.PrometheusURL != "" || o.Dump != "":
		none = fmt.Errorf("collect: none of %d intervals can be learned from, and no dataset was written; `windvane doctor` asks each query", r.Intervals)
	default:
		none = fmt.Errorf("collect: none of %d intervals can be learned from, and no dataset was written", r.Intervals)
	}
	if o.asJSON {
		out := struct {
			*lifecycle.Report
			Quality *dataset.Quality `json:"quality,omitempty"`
		}{Report: r}
		if none == nil {
			q := d.Quality(loadCell(d))
			out.Quality = &q
		}
		return errors.Join(json.NewEncoder(w).Encode(out), none)
	}
	if err := r.WriteText(w); err != nil || none != nil {
		return errors.Join(err, none)
	}
	return d.Quality(loadCell(d)).WriteText(w)
}

// loadCell is how near to each other loads of live traffic count as the same: in twentieths of
// the largest.
func loadCell(d *dataset.Dataset) float64 {
	most := 0.0
	for _, offered := range d.Offered {
		for _, v := range offered {
			if v > most {
				most = v
			}
		}
	}
	return most / 20
}

// named says whether a history is.
func (o *collecting) named() error {
	switch {
	case o.Dump != "" && o.PrometheusURL != "":
		return errors.New("--dump is in place of --prometheus: leave one of them out")
	case o.StateDirectory == "" && o.PrometheusURL == "" && o.Dump == "":
		return errors.New("say from where: --state-directory, --prometheus or --dump, or the first with one of the others")
	}
	return nil
}

// times reads --from, --to and --without.
func (o *collecting) times(now time.Time) (err error) {
	if o.from == "" && o.PrometheusURL != "" {
		o.from = defaultFrom
	}
	if o.from != "" {
		if o.From, err = parseTime(o.from, now); err != nil {
			return fmt.Errorf("--from: %w", err)
		}
	}
	if o.To, err = parseTime(o.to, now); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if !o.From.Before(o.To) {
		return fmt.Errorf("--from %s is not before --to %s", o.from, o.to)
	}
	for _, text := range o.without {
		from, to, ok := strings.Cut(text, "/")
		s := lifecycle.Span{}
		if ok {
			s.From, err = parseTime(from, now)
			if err == nil {
				s.To, err = parseTime(to, now)
			}
		}
		if err != nil {
			return fmt.Errorf("--without %s: %w", text, err)
		}
		if !ok || !s.From.Before(s.To) {
			return fmt.Errorf("--without %s: want FROM/TO, the earlier first", text)
		}
		o.Without = append(o.Without, s)
	}
	if i := slices.Index(o.Alerts, ""); i >= 0 {
		return errors.New("--without-alert: want the name of an alert")
	}
	return nil
}

// parseTime reads a time, or how long ago one was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if d, err := model.ParseDuration(text); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time, as 2026-11-25T13:00:00Z, nor how long ago, as 30d, nor now", text)
	}
	return t, nil
}
