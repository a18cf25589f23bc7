// Stage is what the browser suite plays on: the daemon in front of an emulated mesh in
// lock-step, which does what standard input says, a command a line, and answers each with a
// line of standard output: "ok", or "error: …".
//
//	run N             N cycles
//	fail PART …       prometheus, kubernetes or scrapes fail from now on
//	heal              nothing fails any more
//	kill              the processes of plugins are killed
//
// The first line is "ready URL". The user ann with the password secret may act.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/plugins/serve"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
	"github.com/windvane/windvane/station"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "plugin" && os.Args[2] == "serve" {
		os.Exit(serve.Main(daemon.Builtins()[os.Args[3]]()))
	}
	var o options
	flag.IntVar(&o.services, "services", 6, "Services of the mesh.")
	flag.StringVar(&o.authority, "authority", "act", "The ceiling of the rules file.")
	flag.StringVar(&o.policy, "policy", "threshold", "The active policy, which is built in and needs no artefact.")
	flag.BoolVar(&o.users, "users", false, "Ask for a user, who then may act.")
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "Of the daemon's HTTP server.")
	flag.DurationVar(&o.pace, "pace", 0, "Least time of a cycle.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := play(ctx, o)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
}

type options struct {
	services                   int
	authority, policy, address string
	users                      bool
	pace                       time.Duration
}

func play(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "wvb") // short: plugins' sockets lie below it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	web := ""
	if o.users {
		if web, err = users(dir); err != nil {
			return err
		}
	}
	st, err := station.Open(ctx, station.Options{
		Dir: dir, Emulator: emulator.Options{Graph: graph(o.services), Seed: 1000}, Object: "shop", Interval: 5 * time.Second, Scrape: time.Second,
		From: 10 * time.Second, Rules: rulesText(o), Plugins: "\n[plugin.main]\nbuiltin = \"" + o.policy + "\"\ndeadline = \"2m\"\n",
		Watch: func(station.Step) {}, Address: o.address, Pace: o.pace, WebConfigFile: web,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close(context.WithoutCancel(ctx))) }()
	say("ready " + st.URL())
	lines := make(chan string)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			lines <- in.Text()
		}
		close(lines)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if err := follow(ctx, st, strings.Fields(line)); err != nil {
				say("error: " + err.Error())
				continue
			}
			say("ok")
		}
	}
}

// say prints a line for who has started this.
func say(line string) { _, _ = fmt.Println(line) }

func follow(ctx context.Context, st *station.Station, words []string) error {
	if len(words) == 0 {
		return errors.New("no command")
	}
	switch words[0] {
	case "run":
		n, err := strconv.Atoi(strings.Join(words[1:], ""))
		if err != nil {
			return err
		}
		return st.Run(ctx, n)
	case "fail":
		all := " " + strings.Join(words[1:], " ") + " "
		has := func(part string) bool { return strings.Contains(all, " "+part+" ") }
		st.Fail(testbed.Faults{Prometheus: has("prometheus"), Kubernetes: has("kubernetes"), Scrapes: has("scrapes")})
		return nil
	case "heal":
		st.Fail(testbed.Faults{})
		return nil
	case "kill":
		var errs []error
		for _, p := range st.Status().Meshes[0].Plugins {
			if p.PID > 0 {
				errs = append(errs, syscall.Kill(p.PID, syscall.SIGKILL))
			}
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("no command %q", words[0])
}

func users(dir string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "web.yml")
	return file, os.WriteFile(file, fmt.Appendf(nil, "basic_auth_users:\n  ann: '%s'\n", hash), 0o600)
}
