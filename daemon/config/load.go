package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/windvane/windvane/rules"
)

// loader fills a Config.
type loader struct {
	doc      *rules.Document
	builtins []string
	config   *Config
	files    []string       // the rules files
	sources  []string       // declared names, whether or not their tables are right
	plugins  []string       // declared names, likewise
	problems rules.Problems // of windvane.toml, found beyond its tables
	warnings rules.Problems // likewise
}

func (l *loader) root(t *rules.Table) {
	c := l.config
	if t.Require("rules") {
		l.glob(t)
	}
	if t.Require("state_directory") {
		c.StateDirectory = l.path(t.Text("state_directory", ""))
		if c.StateDirectory == "" {
			invalidEmpty(t, "state_directory", "name a directory that survives restarts")
		}
	}
	if t.Require("prometheus") {
		l.sources = l.each(t, "prometheus", func(name string, t *rules.Table) {
			c.Prometheus = append(c.Prometheus, l.prometheus(name, t))
		})
	}
	if k := t.Table("kubernetes"); k != nil {
		c.Kubernetes = Kubernetes{
			KubeconfigFile: l.path(k.Text("kubeconfig_file", "")), Context: k.Text("context", ""),
			Timeout: k.Duration("timeout", 0, time.Millisecond),
		}
	}
	c.Lease = lease(t.Table("lease"))
	c.Alerts = l.alerts(t.Table("alerts"))
	c.Journal = journal(t.Table("journal"))
	l.plugins = l.each(t, "plugin", func(name string, t *rules.Table) {
		c.Plugins = append(c.Plugins, l.plugin(name, t))
	})
}

func (l *loader) alerts(t *rules.Table) Alerts {
	out := Alerts{Expiry: DefaultAlertExpiry}
	if t == nil {
		return out
	}
	out.Expiry = t.Duration("expiry", DefaultAlertExpiry, time.Minute)
	out.CredentialsFile = l.secretFile(t, "credentials_file")
	if b := t.Table("basic_auth"); b != nil && b.Require("username", "password_file") {
		out.Username, out.PasswordFile = b.Text("username", ""), l.secretFile(b, "password_file")
		if out.Username == "" {
			invalidEmpty(b, "username", "name the user that Alertmanager sends")
		}
	}
	return out
}

// secretFile reads the path of a file with a secret; an empty one would mean that none is asked for.
func (l *loader) secretFile(t *rules.Table, key string) string {
	path := t.Text(key, "")
	if path == "" {
		invalidEmpty(t, key, "name a file with the secret, or remove the key")
	}
	return l.path(path)
}

func lease(t *rules.Table) Lease {
	if t == nil || !t.Require("namespace", "name") {
		return Lease{}
	}
	out := Lease{
		Namespace: t.Text("namespace", ""), Name: t.Text("name", ""),
		Duration: t.Duration("duration", DefaultLeaseDuration, leastLeaseDuration),
	}
	for key, name := range map[string]string{"namespace": out.Namespace, "name": out.Name} {
		if t.IsText(key) && !objectName.MatchString(name) {
			t.Invalid(key, fmt.Sprintf("%q is not a name that Kubernetes has", name), "use lower case letters, digits and '-'")
		}
	}
	if out.Duration%time.Second != 0 {
		t.Invalid("duration", "is not of whole seconds, in which a Lease counts", `as in "15s"`)
	}
	return out
}

func journal(t *rules.Table) Journal {
	out := Journal{MaximumAge: DefaultJournalAge, MaximumSize: DefaultJournalMegabytes << 20}
	if t != nil {
		out.MaximumAge = t.Duration("maximum_age", DefaultJournalAge, time.Hour)
		out.MaximumSize = int64(t.Whole("maximum_megabytes", DefaultJournalMegabytes, leastJournalMegabytes, 1_000_000)) << 20
	}
	return out
}

// invalidEmpty reports a string that is empty; one of a wrong type has been reported.
func invalidEmpty(t *rules.Table, key, hint string) {
	if t.IsText(key) {
		t.Invalid(key, "is empty", hint)
	}
}

// path makes a path of the file one of the process; empty stays empty.
func (l *loader) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.config.Dir, p)
}

func (l *loader) glob(t *rules.Table) {
	globs := t.Texts("rules")
	if globs != nil && len(globs) == 0 {
		t.Invalid("rules", "is empty", `as in ["rules.d/*.toml"]`)
	}
	for _, g := range globs {
		found, err := filepath.Glob(l.path(g))
		switch {
		case err != nil:
			t.Invalid("rules", fmt.Sprintf("%q is not a pattern", g), `as in "rules.d/*.toml"`)
		case len(found) == 0:
			t.Invalid("rules", fmt.Sprintf("%q matches no file", g), "it is relative to "+l.config.Dir)
		}
		for _, f := range found {
			if !slices.Contains(l.files, f) {
				l.files = append(l.files, f)
			}
		}
	}
}

// each opens the tables of a table whose keys are names, and returns the names.
func (l *loader) each(t *rules.Table, key string, read func(name string, t *rules.Table)) []string {
	parent := t.Table(key)
	if parent == nil {
		return nil
	}
	names := parent.Keys()
	if len(names) == 0 {
		t.Invalid(key, "is empty", "add a table ["+key+".NAME]")
	}
	for _, name := range names {
		if !tableName.MatchString(name) {
			parent.Invalid(name, fmt.Sprintf("%q is not a name", name), "use lower case letters, digits, '_' and '-'")
		}
		if child := parent.Table(name); child != nil {
			read(name, child)
		}
	}
	return names
}

var (
	tableName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	// objectName is what Kubernetes takes for a namespace, and more narrow than what it takes for a Lease.
	objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

	sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (l *loader) prometheus(name string, t *rules.Table) Prometheus {
	p := Prometheus{Name: name, QueryOffset: t.Duration("query_offset", 0, 0), Timeout: t.Duration("timeout", 0, time.Millisecond)}
	if t.Require("url") {
		p.URL = t.Text("url", "")
		if why := BadURL(p.URL); why != "" && t.IsText("url") {
			t.Invalid("url", why, `as in "http://127.0.0.1:9090"`)
		}
	}
	client, problems := l.httpClient(t.Path("http"), t.Free("http"))
	p.HTTP = client
	l.problems = append(l.problems, problems...)
	return p
}

// BadURL says what is wrong with a URL, without repeating what may be a password.
func BadURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "is not a http or https URL"
	case u.User != nil:
		return "holds credentials, which belong to http.basic_auth"
	case u.RawQuery != "" || u.Fragment != "":
		return "holds a query or a fragment"
	}
	return ""
}

func (l *loader) plugin(name string, t *rules.Table) Plugin {
	p := Plugin{
		Name: name, Deadline: t.Duration("deadline", DefaultDeadline, time.Millisecond),
		StartTimeout: t.Duration("start_timeout", DefaultStartTimeout, time.Second),
	}
	switch {
	case t.Has("builtin") && t.Has("command"):
		t.Invalid("command", "excludes builtin", "a plugin is one or the other")
	case !t.Has("builtin") && !t.Has("command"):
		t.Invalid("", "has neither builtin nor command", rules.Suggest("", l.builtins))
	}
	p.Builtin = t.OneOf("builtin", "", l.builtins...)
	p.Command = t.Texts("command")
	if p.Command != nil && (len(p.Command) == 0 || p.Command[0] == "") {
		t.Invalid("command", "names no program", `as in ["/usr/libexec/windvane/plugins/mine"]`)
	} else if p.Command != nil {
		p.Command[0] = l.path(p.Command[0])
	}
	p.SHA256 = t.Text("sha256", "")
	switch {
	case !t.IsText("sha256"):
	case t.Has("builtin"):
		t.Invalid("sha256", "does not go with builtin", "the program is windvane itself")
	case !sha256Hex.MatchString(p.SHA256):
		t.Invalid("sha256", "is not a SHA-256 sum", "64 lower-case hexadecimal digits, as sha256sum prints them")
	}
	return p
}

// loadMeshes loads the rules files and returns what is wrong in them.
func (l *loader) loadMeshes() rules.Problems {
	var out rules.Problems
	for _, f := range l.files {
		m, err := rules.Load(f)
		if problems, ok := errors.AsType[rules.Problems](err); ok {
			out = append(out, problems...)
			continue
		}
		if err != nil {
			out = append(out, rules.Problem{File: f, Message: err.Error()})
			continue
		}
		l.config.Meshes = append(l.config.Meshes, m)
	}
	return out
}
