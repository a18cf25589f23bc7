// Package config reads windvane.toml, the daemon's own file, together with the
// rules files that it names, and checks what they say of each other.
//
// The file has the keys rules (globs) and state_directory and the tables
// [prometheus.NAME] with [prometheus.NAME.http] (Prometheus' http_config),
// [kubernetes], [lease], [alerts], [journal] and [plugin.NAME]. Relative paths are relative to the file. What is
// wrong in any of the files is reported at once. Nothing is opened but these
// files: no network, no plugin, no secret.
package config

import (
	"bytes"
	"path/filepath"
	"slices"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/windvane/windvane/rules"
)

// DefaultDeadline is how long a plugin may take for one decision.
const DefaultDeadline = 500 * time.Millisecond

// DefaultStartTimeout is how long a plugin may take to start.
const DefaultStartTimeout = 10 * time.Second

// DefaultAlertExpiry is three times the repeat_interval of deploy/alertmanager.
const DefaultAlertExpiry = 15 * time.Minute

// What a journal keeps by default. The least size holds the segment that is written and the
// two before.
const (
	DefaultJournalAge       = 90 * 24 * time.Hour
	DefaultJournalMegabytes = 4096
	leastJournalMegabytes   = 256
)

// Config is a validated windvane.toml with its meshes; it is read-only.
type Config struct {
	File           string // as named by the caller
	Dir            string // the file's directory, to which its paths are relative
	StateDirectory string
	Prometheus     []Prometheus // sorted by name, at least one
	Kubernetes     Kubernetes
	Lease          Lease
	Alerts         Alerts
	Journal        Journal
	Plugins        []Plugin      // sorted by name
	Meshes         []*rules.Mesh // in the order of the globs, then of the files' names

	warnings rules.Problems
}

// Prometheus is a source of signals.
type Prometheus struct {
	Name        string
	URL         string
	QueryOffset time.Duration               // queries are evaluated this long in the past
	Timeout     time.Duration               // for all queries of a cycle; 0: two fifths of the mesh's interval
	HTTP        promconfig.HTTPClientConfig // paths are already relative to the working directory
}

// Kubernetes says how the API server is reached; with both empty, as in a pod
// and then as kubectl does.
type Kubernetes struct {
	KubeconfigFile string
	Context        string
	Timeout        time.Duration // for reading and for writing the settings of a mesh, each; 0: a fifth of its interval
}

// DefaultLeaseDuration is that of a Lease.
const DefaultLeaseDuration = 15 * time.Second

const leastLeaseDuration = 3 * time.Second

// Lease is what several daemons share of which one may act; without a Name there is but one
// daemon, and no lease.
type Lease struct {
	Namespace, Name string
	Duration        time.Duration // within which another takes over from one that is gone; whole seconds
}

// Alerts says how Alertmanager's messages are received.
type Alerts struct {
	CredentialsFile string        // with the secret of "Authorization: Bearer"; empty: none is accepted
	Username        string        // of basic authentication; empty: none is accepted
	PasswordFile    string        // with Username
	Expiry          time.Duration // how long an alert is taken to fire after Alertmanager last said so
}

// Journal says how much of the journal is kept: what is beyond either is removed,
// oldest first.
type Journal struct {
	MaximumAge  time.Duration
	MaximumSize int64 // bytes, compressed
}

// Plugin is a policy behind the contract: a built-in, or a command.
type Plugin struct {
	Name     string
	Builtin  string        // name of a built-in policy; empty with Command
	Command  []string      // program and arguments; empty with Builtin
	SHA256   string        // of the program, lower-case hex; empty: not checked
	Deadline time.Duration // for one decision

	// StartTimeout is for each of its handshake, its description and its configuration.
	StartTimeout time.Duration
}

// Load reads windvane.toml and every rules file that it names. builtins are the
// names that plugin.NAME.builtin may have. What is wrong in the files comes as
// rules.Problems, those of windvane.toml first.
func Load(path string, builtins []string) (*Config, error) {
	l, err := load(path, builtins)
	if err != nil {
		return nil, err
	}
	return l.config, nil
}

func load(path string, builtins []string) (*loader, error) {
	src, err := rules.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return nil, rules.Problems{{File: path, Line: 1, Message: "the file is empty", Hint: `start with rules = ["rules.d/*.toml"] and [prometheus.main]`}}
	}
	doc, root, err := rules.ParseDocument(path, src)
	if err != nil {
		return nil, err
	}
	l := &loader{doc: doc, builtins: builtins, config: &Config{File: path, Dir: filepath.Dir(path)}}
	l.root(root)
	problems := slices.Concat(doc.Problems(), l.problems, l.loadMeshes(), l.cross())
	if err := problems.Err(); err != nil {
		return nil, err
	}
	l.warn()
	return l, nil
}

// Warnings returns what is allowed but unwise, in windvane.toml and in the rules files.
func (c *Config) Warnings() []rules.Problem {
	out := slices.Clone(c.warnings)
	for _, m := range c.Meshes {
		out = append(out, m.Warnings()...)
	}
	return out
}

// Source returns the Prometheus source of a name.
func (c *Config) Source(name string) (Prometheus, bool) {
	i := slices.IndexFunc(c.Prometheus, func(p Prometheus) bool { return p.Name == name })
	if i < 0 {
		return Prometheus{}, false
	}
	return c.Prometheus[i], true
}

// Plugin returns the plugin of a name.
func (c *Config) Plugin(name string) (Plugin, bool) {
	i := slices.IndexFunc(c.Plugins, func(p Plugin) bool { return p.Name == name })
	if i < 0 {
		return Plugin{}, false
	}
	return c.Plugins[i], true
}
