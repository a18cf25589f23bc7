// Package systemd tells the service manager how the daemon does, and holds what is
// installed for it: units, defaults, packages. Without a service manager all of its
// functions do nothing.
//
// The unit has Type=notify. RELOADING=1 goes with the time of the clock that systemd
// wants for Type=notify-reload, too (sd_notify(3)), so that a drop-in may ask for that.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Ready says that the daemon runs, or has reloaded.
func Ready(logger *slog.Logger) { notify(logger, daemon.SdNotifyReady) }

// Stopping says that an orderly stop has begun.
func Stopping(logger *slog.Logger) { notify(logger, daemon.SdNotifyStopping) }

// Reloading says that a reload has begun. Ready ends it, also if it failed: the old
// configuration is in force then.
func Reloading(logger *slog.Logger) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		logger.Warn("the monotonic clock cannot be read", "err", err)
		return
	}
	notify(logger, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Watch feeds the watchdog, if the unit has one, for as long as late returns nobody: the
// meshes that have had no cycle for too long. It returns when the context ends.
func Watch(ctx context.Context, logger *slog.Logger, late func(time.Time) []string) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("the watchdog of the service manager cannot be fed", "err", err)
		return
	}
	if within == 0 {
		return
	}
	tick := time.NewTicker(within / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if all := late(now); len(all) > 0 {
				logger.Error("no cycle within two intervals; the watchdog of the service manager is not fed", "meshes", all)
				notify(logger, fmt.Sprintf("STATUS=no cycle within two intervals: %v", all))
				continue
			}
			notify(logger, daemon.SdNotifyWatchdog)
		}
	}
}

func notify(logger *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("the service manager cannot be told", "state", state, "err", err)
	}
}
