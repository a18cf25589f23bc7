package main

import (
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/plugins/serve"
)

// exitError ends the process with a code and without a message of its own.
type exitError int

func (e exitError) Error() string { return "" }

// addPlugin adds `plugin check` and `plugin serve`, by which the daemon runs a built-in policy as a process of its own.
func addPlugin(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	plugin := app.Command("plugin", "Policies as plugins.")
	addPluginCheck(plugin, commands, stdout)
	s := plugin.Command("serve", "Serve a built-in policy to the daemon that started this process.")
	name := s.Arg("name", "The policy.").Required().Enum(daemon.BuiltinNames()...)
	commands["plugin serve"] = func() error {
		if code := serve.Main(daemon.Builtins()[*name]()); code != exitOK {
			return exitError(code)
		}
		return nil
	}
}
