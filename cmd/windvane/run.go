package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/systemd"
)

// defaultAddress is where the daemon listens: on loopback, because reading is open.
const defaultAddress = "127.0.0.1:9480"

// stopTimeout bounds an orderly stop: a cycle that has begun, and the plugins' grace.
const stopTimeout = 20 * time.Second

// addRun adds `run`, the daemon.
func addRun(app *kingpin.Application, commands map[string]func() error, stderr io.Writer) {
	run := app.Command("run", "Run the daemon.").Default()
	var (
		file      = run.Flag("config.file", "windvane.toml.").Default("windvane.toml").String()
		address   = run.Flag("web.listen-address", "Address of the HTTP server.").Default(defaultAddress).String()
		webFile   = run.Flag("web.config.file", "File of TLS and users, who may act by HTTP, too. See https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md.").String()
		external  = run.Flag("web.external-url", "The URL under which a proxy shows the HTTP server; its path goes before every endpoint's.").URL()
		lifecycle = run.Flag("web.enable-lifecycle", "Allow reloading by HTTP, to users of --web.config.file. By the socket it is always allowed.").Bool()
		profile   = run.Flag("web.enable-pprof", "Serve profiles of the daemon itself under /debug/pprof.").Bool()
		level     = promslog.NewLevel()
		format    = promslog.NewFormat()
	)
	run.Flag("log.level", "debug, info, warn or error.").Default("info").SetValue(level)
	run.Flag("log.format", "logfmt or json.").Default("logfmt").SetValue(format)
	commands["run"] = func() error {
		logger := promslog.New(&promslog.Config{Level: level, Format: format, Writer: stderr})
		if err := validateWeb(*webFile); err != nil {
			return usageError{fmt.Errorf("web.config.file: %w", err)}
		}
		if u := *external; u != nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return usageError{fmt.Errorf("web.external-url: %s is not of the form https://HOST/PATH", u)}
		}
		listener, err := net.Listen("tcp", *address)
		if err != nil {
			return usageError{fmt.Errorf("web.listen-address: %w", err)}
		}
		return runDaemon(daemon.Options{
			ConfigFile: *file, Listener: listener, Logger: logger,
			WebConfigFile: *webFile, ExternalURL: *external, EnableLifecycle: *lifecycle, EnablePprof: *profile,
			RuntimeDirectory: os.Getenv("RUNTIME_DIRECTORY"), Random: rand.Float64,
		})
	}
}

// runDaemon runs until SIGTERM or SIGINT; SIGHUP reloads.
func runDaemon(o daemon.Options) error {
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(stop)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	d, err := daemon.New(context.Background(), o)
	if err != nil {
		if _, ok := errors.AsType[rules.Problems](err); ok || errors.Is(err, os.ErrNotExist) {
			return usageError{err}
		}
		return err
	}
	if err := d.Start(context.Background()); err != nil {
		return err
	}
	o.Logger.Info("windvane runs", "config", o.ConfigFile, "address", o.Listener.Addr().String())
	systemd.Ready(o.Logger)
	watching, unwatch := context.WithCancel(context.Background())
	defer unwatch()
	go systemd.Watch(watching, o.Logger, d.Late)
	for {
		select {
		case <-hup:
			systemd.Reloading(o.Logger)
			err := d.Reload(context.Background())
			systemd.Ready(o.Logger)
			if err != nil {
				o.Logger.Error("the reload failed; the old configuration stays in force", "err", err)
				continue
			}
			o.Logger.Info("reloaded", "config", o.ConfigFile)
		case s := <-stop:
			systemd.Stopping(o.Logger)
			o.Logger.Info("stopping; the settings stay as they are", "signal", s.String())
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			go func() { // a second signal cuts the orderly end short
				<-stop
				cancel()
			}()
			return d.Stop(ctx)
		}
	}
}
