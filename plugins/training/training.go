// Package training has a plugin make its own artefact: it fits the model of a mesh, serves
// the simulator to the plugin, bounds what it may take, holds what comes back to what a host
// expects, and judges it on the model.
//
// A plugin is not trusted here either: see plugins/host. Nothing is written; what is to be,
// is in the Result of a training in which all went well.
package training

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/windvane/windvane/internal/unixsocket"
	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/train"
)

// Plugin is what trains.
type Plugin struct {
	Name     string        // for errors
	Command  []string      // the program and its arguments
	SHA256   string        // of the program, hexadecimal, verified before each start; empty: not verified
	Settings []byte        // the policy's own, JSON; empty: defaults
	Deadline time.Duration // of one decision

	StartTimeout time.Duration // as host.Options has it; 0: 10 s
}

// Progress is told how far a training is.
type Progress interface {
	Note(what string)                // where nobody can count it
	Count(what string, done, of int) // done of of
	Remark(text string)              // of what is being done
}

// Result is what came of a training.
type Result struct {
	Card     train.Card
	Artefact []byte

	Checks  []conformance.Result // all passed
	Report  *eval.Report         // of the trial; nil: there was nothing to judge by
	Asked   int                  // decisions of the trial
	Missed  int                  // those of them that had no answer, and the live settings were held
	Failure error                // why the first of them had none
}

// Ask starts the plugin and returns what it says of itself. It is an error if it does not
// train, or has a name that its artefact cannot have; others are the names of other policies.
func Ask(ctx context.Context, p Plugin, others []string) (policy.Description, error) {
	dir, err := socketDir()
	if err != nil {
		return policy.Description{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by then
	var wrote conformance.Tail
	is, err := host.Ask(ctx, p.options(dir, &wrote))
	switch {
	case ctx.Err() != nil:
		return is, ctx.Err()
	case err != nil:
		return is, told(err, &wrote)
	case !is.Trains:
		return is, fmt.Errorf("plugin %s: its policy %s has no Train, and nothing to be trained; name a plugin that has", p.Name, is.Name)
	case slices.Contains(others, is.Name):
		return is, fmt.Errorf("plugin %s: its policy calls itself %q, as one of windvane's own does; give it another name", p.Name, is.Name)
	}
	if err := train.CheckName(is.Name); err != nil {
		return is, fmt.Errorf("plugin %s: %w, for the name of its artefact", p.Name, err)
	}
	return is, nil
}

// Run has the plugin train for at most so long, holds what comes of it to what a host
// expects, and judges it. The description is what Ask returned. An error of the plugin ends
// with the last lines that it wrote.
func Run(ctx context.Context, p Plugin, is policy.Description, l *Lesson, timeout time.Duration, progress Progress) (*Result, error) {
	program, err := os.ReadFile(p.Command[0])
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", p.Name, err)
	}
	trained, err := l.teach(ctx, p, timeout, &far{Progress: progress, policy: is.Name})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(program)
	out := &Result{Card: l.card, Artefact: trained.Artefact}
	out.Card.Policy = is.Name
	out.Card.Plugin = &train.Plugin{Version: is.Version, SHA256: hex.EncodeToString(sum[:]), Settings: p.Settings, Summary: trained.Summary}
	text, err := out.Card.Text(trained.Artefact, l.encoded)
	if err != nil {
		return nil, err
	}
	config := policy.Config{Settings: p.Settings, Card: text, Artefact: trained.Artefact}
	if err := out.check(ctx, p, config, l.Seed, progress); err != nil {
		return nil, err
	}
	if l.trial != nil {
		if err := out.try(ctx, p, config, l.trial, progress); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// teach serves the simulator while the plugin trains.
func (l *Lesson) teach(ctx context.Context, p Plugin, timeout time.Duration, far *far) (trained policy.Trained, err error) {
	dir, err := socketDir()
	if err != nil {
		return trained, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by then
	socket := filepath.Join(dir, "simulator")
	listener, err := unixsocket.Listen(socket, 0o600)
	if err != nil {
		return trained, err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- simserver.Serve(serving, listener, l.scenario) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()

	far.tell(0, 0, "")
	var wrote conformance.Tail
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	trained, err = host.Train(limited, p.options(dir, &wrote), policy.Training{
		Settings: p.Settings, Simulator: "unix:" + socket, Seed: l.Seed, Progress: far.tell,
	})
	switch {
	case err == nil:
		return trained, nil
	case ctx.Err() != nil:
		return trained, ctx.Err()
	case limited.Err() != nil:
		return trained, told(fmt.Errorf("plugin %s: it had not trained after %s%s, and was ended; give it more time (--timeout), or less to do in its settings", p.Name, timeout, far.reached), &wrote)
	}
	return trained, told(err, &wrote)
}

// options are those of a host for the plugin.
func (p Plugin) options(dir string, wrote *conformance.Tail) host.Options {
	return host.Options{
		Name: p.Name, Path: p.Command[0], Args: p.Command[1:], SHA256: p.SHA256, SocketDir: dir, Deadline: p.Deadline,
		StartTimeout: p.StartTimeout, Logger: wrote.Logger(),
	}
}

// socketDir makes a directory for sockets that only this user may enter. Its name is short:
// that of a socket has 107 bytes.
func socketDir() (string, error) {
	dir, err := os.MkdirTemp("", "wv")
	if err != nil {
		return "", fmt.Errorf("a directory for sockets: %w; set TMPDIR to one that can be written to", err)
	}
	return dir, nil
}

// far tells how far a plugin says that it is, which may be anything.
type far struct {
	Progress
	policy  string
	reached string // how far it was, in words
}

// mostTotal is far beyond what anybody counts, and small enough to be multiplied.
const mostTotal = 1 << 40

func (f *far) tell(done, total uint64, note string) {
	if total == 0 {
		f.Note(f.policy + " trains")
	} else {
		total = min(total, mostTotal)
		done = min(done, total)
		f.Count("of "+f.policy+"'s training", int(done), int(total))
		f.reached = fmt.Sprintf(" (%d of %d done)", done, total)
	}
	f.Remark(note)
}

// told adds what the plugin wrote to an error, unless that says it already.
func told(err error, wrote *conformance.Tail) error {
	last := wrote.Last()
	if len(last) == 0 || len(last) == 1 && strings.Contains(err.Error(), last[0]) {
		return err
	}
	return fmt.Errorf("%w\nThe last lines that it wrote:\n  | %s", err, strings.Join(last, "\n  | "))
}
