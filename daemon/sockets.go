package daemon

import "github.com/windvane/windvane/plugins/host"

// sweepSockets removes what plugins have left of a daemon that was killed. It is for a daemon that
// listens on its own socket in the runtime directory, which no other does then.
func (d *Daemon) sweepSockets() {
	if err := host.SweepSockets(d.o.RuntimeDirectory); err != nil {
		d.o.Logger.Warn("what a killed daemon has left of its plugins' sockets stays there", "err", err)
	}
}
