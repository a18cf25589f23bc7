package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/console"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
)

// docs/plugins.md has commands of two worlds: console blocks are run here, those of the
// world python by plugins/python.
const (
	pluginsPage = "../../docs/plugins.md"
	worldPython = "python"
)

// From an empty directory to a plugin in Go that decides: each command does what the page
// says. The check of its memory is a short one.
func TestPluginsPage(t *testing.T) {
	text, err := os.ReadFile(pluginsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	blocks, err := console.Parse(page)
	if err != nil {
		t.Fatalf("%s: %v", pluginsPage, err)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	o, home := newOperated(t), t.TempDir()
	o.shell.Dir = home
	o.shell.Env = append(o.shell.Env, "GOPROXY=off", "GONOSUMDB=*") // the modules are those of this one
	o.shell.Places = append([]console.Place{
		{Page: "/usr/src/windvane", Here: checkout},
		{Page: "/usr/libexec/windvane/plugins", Here: t.TempDir()},
		{Page: "/home/ann", Here: home},
		{Page: "plugin check ", Here: "plugin check --calls 200 "},
	}, o.shell.Places...)
	states := o.states()
	states["main.go"] = func() {
		if err := os.WriteFile(filepath.Join(o.shell.Dir, "main.go"), []byte(console.File(page, "main.go")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	states["a minute"] = func() {
		for end := time.Now().Add(time.Minute); !o.Status().Meshes[0].Plugins[0].Up; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the plugin is not up")
			}
		}
		o.cycles(12)
	}
	o.play(blocks, states, func(line string) string { return columns.ReplaceAllString(sameTime(line), "$1  ") })
}

// columns are as wide as what is in them, which the page's places are not.
var columns = regexp.MustCompile(`(\S)  +`)

// The page shows the examples as they are tested, has a row for each check, and no command
// that nothing runs.
func TestPluginsPageIsWhole(t *testing.T) {
	text, err := os.ReadFile(pluginsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, file := range map[string]string{"main.go": "../../examples/plugin/main.go", "policy.py": "../../plugins/python/examples/threshold.py"} {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if console.File(page, name) != string(want) {
			t.Errorf("%s shows another %s than %s", pluginsPage, name, file)
		}
	}
	for _, check := range conformance.Checks() {
		if !strings.Contains(page, "\n| "+check+" | ") {
			t.Errorf("%s has no row for the check %s", pluginsPage, check)
		}
	}
	blocks, err := console.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, b := range blocks {
		if b.World != worldEmulated && b.World != worldPython {
			t.Errorf("line %d: a block of the world %q, which nothing runs", b.Line, b.World)
		}
		for _, s := range b.Steps {
			shown = append(shown, s.Command+" ")
		}
	}
	for _, s := range console.Spans(page, "windvane", "sudo", "go", "pip") {
		if !slices.ContainsFunc(shown, func(c string) bool { return strings.HasPrefix(strings.TrimPrefix(c, "sudo "), s.Command+" ") }) {
			t.Errorf("line %d: `%s` is in no console block, so that no test runs it", s.Line, s.Command)
		}
	}
}
