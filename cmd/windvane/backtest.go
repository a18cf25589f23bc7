package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/backtest"
	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/rules"
)

// backtesting is what `backtest` was asked for.
type backtesting struct {
	daemon.BacktestOptions

	history              collecting
	settings, json, html string
}

// addBacktest adds `backtest`.
func addBacktest(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	c := app.Command("backtest", "Say what a policy would have done with a mesh's history, and what would have come of it, as far as history can tell: "+
		"the daemon's own loop decides over the recorded intervals, and a model of an earlier part of them answers. It needs no daemon, and changes nothing.")
	o := backtesting{}
	o.history.historyFlags(c)
	c.Flag("policy", "The policy to judge: of the rules file, or a built-in one.").Required().StringVar(&o.Policy)
	c.Flag("artefact", "Directory of the trained artefact that it decides with. By default that of the rules file; where there is none, it is trained on the first half of what is learned from.").
		PlaceHolder("DIRECTORY").StringVar(&o.Artefact)
	c.Flag("settings", "Its settings, a JSON object. By default those of the rules file.").PlaceHolder("JSON").StringVar(&o.settings)
	c.Flag("learn", "Share of the history, its beginning, that is learned from and not judged.").Default("0.5").Float64Var(&o.Learn)
	c.Flag("worlds", "Imagined meshes that tell how sure it is, beside the one that is reported.").Default("10").IntVar(&o.Worlds)
	c.Flag("seed", "Draws these worlds.").Default("1").Uint64Var(&o.Seed)
	c.Flag("json", "Write the report as JSON, too; - is the standard output, in place of the summary.").PlaceHolder("FILE").StringVar(&o.json)
	c.Flag("html", "Write the report as a page, too, to be read or printed without anything else.").PlaceHolder("FILE").StringVar(&o.html)
	commands["backtest"] = func() error { return o.run(time.Now(), stdout, stderr) }
}

func (o *backtesting) run(now time.Time, stdout, stderr io.Writer) error {
	if err := o.check(now); err != nil {
		return usageError{fmt.Errorf("backtest: %w", err)}
	}
	html, err := openHTML("backtest", o.html)
	if err != nil {
		return err
	}
	defer html.discard()
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("backtest", stderr)
	defer p.Stop()
	switch {
	case o.history.Dump != "":
		p.Note("reading the dump")
	case o.history.PrometheusURL == "":
		p.Note("reading the journal")
	}
	o.history.Progress = func(done, of int) { p.Count("intervals", done, of) }
	o.HistoryOptions = o.history.HistoryOptions
	r, err := unlessStopped(ctx, func() (*backtest.Report, error) { return daemon.Backtest(ctx, o.BacktestOptions) })
	if ctx.Err() != nil {
		err = fmt.Errorf("backtest: %w", errStopped)
	}
	p.Stop()
	if err != nil {
		return err
	}
	return o.write(r, html, stdout)
}

// write writes the report in all that was asked for.
func (o *backtesting) write(r *backtest.Report, html *htmlFile, stdout io.Writer) error {
	src, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("backtest: --json: %w", err)
	}
	src = append(src, '\n')
	switch o.json {
	case "-":
		_, err = stdout.Write(src)
	case "":
		err = r.WriteText(stdout)
	default:
		err = errors.Join(r.WriteText(stdout), atomicfile.Write(o.json, src))
	}
	if html != nil {
		a := about(withoutJSON(os.Args[1:]), r.Mesh, o.history.rulesFile, "", "", 0)
		err = errors.Join(err, html.write(r.Page(backtest.About{Command: a.Command, Version: a.Version, Rules: a.Rules, Source: o.source()})))
	}
	return err
}

// source says where the history is from.
func (o *backtesting) source() string {
	var from []string
	c := o.history
	for _, name := range []string{c.PrometheusURL, c.Dump} {
		if name != "" {
			from = append(from, name)
		}
	}
	if c.StateDirectory != "" {
		from = append(from, "the journal in "+c.StateDirectory)
	}
	return strings.Join(from, ", and ")
}

func (o *backtesting) check(now time.Time) (err error) {
	if o.history.Rules, err = rules.Load(o.history.rulesFile); err != nil {
		return err
	}
	if err := o.history.times(now); err != nil {
		return err
	}
	if err := o.history.named(); err != nil {
		return err
	}
	switch {
	case !(o.Learn >= .05 && o.Learn <= .95):
		return fmt.Errorf("--learn %v: want a share from 0.05 to 0.95", o.Learn)
	case o.Worlds < 5 || o.Worlds > 100:
		return fmt.Errorf("--worlds %d: want 5 to 100; fewer do not tell how sure it is", o.Worlds)
	case o.settings != "" && !json.Valid([]byte(o.settings)):
		return fmt.Errorf("--settings %s: no JSON; want an object such as {\"seed\": 1}", o.settings)
	}
	if o.settings != "" {
		o.Settings = []byte(o.settings)
	}
	if o.json != "" && o.json != "-" {
		if info, err := os.Stat(filepath.Dir(o.json)); err != nil || !info.IsDir() {
			return fmt.Errorf("--json %s: there is no directory %s", o.json, filepath.Dir(o.json))
		}
	}
	return nil
}

// withoutJSON leaves out the file of --json: where output goes is no part of a report.
func withoutJSON(args []string) (out []string) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--json":
			i++
		case !strings.HasPrefix(args[i], "--json="):
			out = append(out, args[i])
		}
	}
	return out
}
