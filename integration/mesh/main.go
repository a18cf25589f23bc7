// Command mesh is for people at the real mesh of package stack: it keeps one up, offers
// it load, and holds windvane's control of it against others', as the testbed evaluation of the
// paper does. What may live here: scenes of load, who controls them, and the figures.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
)

func main() {
	app := kingpin.New("mesh", "A real mesh on loopback: etcd, kube-apiserver, istiod, Envoy, Prometheus. integration/tools/build.sh makes its programs, and WINDVANE_PROGRAMS names their directory.")
	app.HelpFlag.Short('h')
	programs := app.Flag("programs", "The directory that integration/tools/build.sh prints.").Envar("WINDVANE_PROGRAMS").String()
	commands := map[string]func(context.Context) error{}
	addUp(app, commands, programs)
	addLoad(app, commands)
	addEvaluate(app, commands, programs)
	addEmulate(app, commands)
	command := kingpin.MustParse(app.Parse(os.Args[1:]))

	// The first signal ends it cleanly, a second at once.
	//nolint:forbidigo // this is where contexts come from
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := commands[command](ctx); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mesh:", err)
		os.Exit(1) //nolint:forbidigo // a command's end; nothing is left running
	}
}
