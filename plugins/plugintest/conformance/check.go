package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/policy"
)

// Options say which plugin is checked, and on what.
type Options struct {
	Command []string      // the program and its arguments
	SHA256  string        // of the program, hexadecimal, verified before each start; empty: not verified
	Config  policy.Config // what it is configured with; its settings have to be good ones

	// Observation is what it is asked about, and scattered around: complete, with valid
	// signals. The knobs have to be those of the artefact, if there is one.
	Observation policy.Observation

	StartTimeout time.Duration // as host.Options has it; 0: 10 s
	Deadline     time.Duration // of a decision; 0: 500 ms
	Calls        int           // in the check of its memory; 0: 10,000
	Samples      int           // observations, in the checks that compare answers; 0: 100
	Only         []string      // names of checks; empty: all of Checks
	Seed         uint64        // of how observations are scattered
}

// Result is what came of one check.
type Result struct {
	Check    string   `json:"check"`
	About    string   `json:"about"`              // what was checked, a sentence
	Findings []string `json:"findings,omitempty"` // what is wrong; empty: nothing
	Hint     string   `json:"hint,omitempty"`     // what to do about the findings
	Note     string   `json:"note,omitempty"`     // what was measured, or why it was not checked
	Skipped  bool     `json:"skipped,omitempty"`  // it was not checked
}

// Report is what came of all checks.
type Report struct {
	Command []string `json:"command"`
	Policy  string   `json:"policy"` // as it says of itself
	Version string   `json:"version"`
	Results []Result `json:"results"`
	Output  []string `json:"output"` // the last lines that the plugin wrote
}

// Failed is the number of checks with findings.
func (r *Report) Failed() int {
	n := 0
	for _, x := range r.Results {
		if len(x.Findings) > 0 {
			n++
		}
	}
	return n
}

// check is one of Checks. Its error is the finding, or several that are joined.
type check struct {
	name, about, hint string
	do                func(r *run, ctx context.Context) (note string, err error)
}

// checks in their order: what a later one needs has been checked by an earlier one.
var checks = []check{
	{
		"start", "It starts, shakes hands, says what it is, is healthy and takes its configuration.",
		"Nothing but the handshake is printed to standard output; logs go to standard error. plugins/serve (Go) and the Python package do the rest.",
		(*run).start,
	},
	{
		"settings", "Settings that it does not know are refused.",
		"Decode settings strictly, and answer Configure with an error that names the key: a misspelt setting is to be found when it is written.",
		(*run).settings,
	},
	{
		"answers", "It answers in time, with an action that fits the knobs, weights that sum to 1, and finite numbers.",
		"The action has one setting for each knob, in the order of the knobs; see Decision in policy.proto.",
		(*run).answers,
	},
	{
		"repeat", "The same observation gets the same answer.",
		"Take randomness from a seed in the settings or from the observation, never from the clock; iterate over sorted keys.",
		(*run).repeat,
	},
	{
		"order", "An answer does not depend on what was asked before.",
		"Decide keeps nothing between calls: what the past says is in the observation, and the host keeps it.",
		(*run).order,
	},
	{
		"bad-state", "An observation that makes no sense gets an error or a usable answer, not a crash.",
		"Check signals' status and the knobs before use, and answer with an error that says what is missing.",
		(*run).badState,
	},
	{
		"no-data", "Without signals it does not loosen protection.",
		"Abstain, or answer with an error, where the signals that a decision needs are absent, stale or invalid; never take absence for 0.",
		(*run).noData,
	},
	{
		"cut-short", "It answers as before after calls that were cut short.",
		"A call may end at any moment: keep no lock, and no half-made state, beyond it.",
		(*run).cutShort,
	},
	{
		"export", "The table that it exports is well-formed.",
		"As many cells in each row as there are columns, and no more rows than were asked for.",
		(*run).export,
	},
	{
		"memory", "Its memory does not grow with the number of calls.",
		"Look for what is appended or cached in each call.",
		(*run).memory,
	},
	{
		"kill", "After kill -9 it is back within 5 s, or a start time-out that is longer than usual, and answers as before.",
		"Start fast, keep nothing on disk that a sudden end leaves half-written, and let nothing depend on the process.",
		(*run).kill,
	},
	{
		"end", "It ends when it is asked to, and leaves no process and no socket.",
		"Serve GRPCController.Shutdown, and start children in the plugin's own process group.",
		(*run).end,
	},
}

// Checks are the names of all checks, in their order.
func Checks() []string {
	var out []string
	for _, c := range checks {
		out = append(out, c.name)
	}
	return out
}

// errSkipped says why a check does not apply.
type errSkipped struct{ why string }

func (e errSkipped) Error() string { return e.why }

// Check runs a plugin and holds it to what its host expects; show is given each result
// at once, and before it an empty one with the check's name. The error is of the checks
// themselves, or of a context that ended.
func Check(ctx context.Context, o Options, show func(Result)) (*Report, error) {
	if o.StartTimeout == 0 {
		o.StartTimeout = usualStart
	}
	if o.Deadline == 0 {
		o.Deadline = 500 * time.Millisecond
	}
	if o.Calls == 0 {
		o.Calls = 10_000
	}
	if o.Samples == 0 {
		o.Samples = 100
	}
	r, err := newRun(o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(r.sockets) }()
	defer func() { r.host.Stop(ctx) }()
	report := &Report{Command: o.Command}
	for _, c := range checks {
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.name) && c.name != "start" {
			continue
		}
		show(Result{Check: c.name})
		result := r.do(ctx, c)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		report.Results = append(report.Results, result)
		show(result)
		if c.name == "start" && len(result.Findings) > 0 {
			break
		}
	}
	report.Policy, report.Version, report.Output = r.description.Name, r.description.Version, r.output.Last()
	return report, nil
}

// hostName is what the host calls the plugin in its errors, where it needs no name.
const hostName = "under check"

func newRun(o Options) (*run, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("no command is given")
	}
	for _, name := range o.Only {
		if !slices.Contains(Checks(), name) {
			return nil, fmt.Errorf("there is no check %q; there are %s", name, strings.Join(Checks(), ", "))
		}
	}
	dir, err := os.MkdirTemp("", "wv") // short: the name of a socket has 107 bytes
	if err != nil {
		return nil, err
	}
	r := &run{o: o, sockets: dir, output: &Tail{}, samples: sample(o)}
	r.host = host.New(host.Options{
		Name: hostName, Path: o.Command[0], Args: o.Command[1:], SocketDir: dir, Config: o.Config, SHA256: o.SHA256,
		StartTimeout: o.StartTimeout, Logger: r.output.Logger(),
		// It is to be started again as often as the checks end it.
		Restarts: host.Restarts{First: time.Millisecond, Min: time.Millisecond, Max: time.Second, Window: 24 * time.Hour, Crashes: 1 << 20},
	})
	return r, nil
}

// do runs one check, on a plugin that is up.
func (r *run) do(ctx context.Context, c check) Result {
	out := Result{Check: c.name, About: c.about}
	if c.name != "start" {
		if err := r.ready(ctx); err != nil {
			out.Findings, out.Hint = []string{err.Error()}, "It has to start again after whatever ended it."
			return out
		}
	}
	note, err := c.do(r, ctx)
	out.Note = note
	if skipped, ok := errors.AsType[errSkipped](err); ok {
		out.Note, out.Skipped = skipped.why, true
		return out
	}
	if err != nil {
		out.Findings, out.Hint = findings(err), c.hint
	}
	return out
}

// mostFindings bounds what is said of one check.
const mostFindings = 5

func findings(err error) []string {
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // by errors.Join
		all = joined.Unwrap()
	} else {
		all = []error{err}
	}
	var out []string
	for i, e := range all {
		if i == mostFindings {
			return append(out, fmt.Sprintf("and %d more", len(all)-i))
		}
		out = append(out, strings.TrimPrefix(e.Error(), "plugin "+hostName+": "))
	}
	return out
}
