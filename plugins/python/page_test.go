package python_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/internal/console"
)

// From an empty directory to a checked plugin in Python, by the commands of docs/plugins.md.
// The virtual environment is one that has the packages which this one needs, so that pip
// installs nothing but the checkout's; the check of the plugin's memory is a short one.
func TestPluginsPage(t *testing.T) {
	python := interpreter(t)
	text, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	blocks, err := console.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	checkout, shims := t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(checkout, "plugins/python"), os.DirFS(".")); err != nil { // setuptools leaves what it builds beside the sources
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shims, "python3"), fmt.Appendf(nil, venv, python), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	s := console.Shell{
		Dir: t.TempDir(), Env: append(os.Environ(), "PATH="+shims+":"+os.Getenv("PATH")),
		Places: []console.Place{{Page: "/usr/src/windvane", Here: checkout}, {Page: "plugin check ", Here: "plugin check --calls 200 "}},
	}
	ran := 0
	for _, b := range blocks {
		if b.World != "python" {
			continue
		}
		if b.Given == "policy.py" {
			if err := os.WriteFile(filepath.Join(s.Dir, b.Given), []byte(console.File(page, b.Given)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range b.Steps {
			ran++
			if wrong := s.Step(t.Context(), step, nil); wrong != "" {
				t.Error(wrong)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "venv/site/windvane/serving.py")); err != nil {
		t.Error(err)
	}
	if ran < 5 || strings.Count(page, "```console python") < 2 {
		t.Errorf("%d commands are run", ran)
	}
}

// venv is python3 -m venv DIRECTORY, as far as the page uses it.
const venv = `#!/bin/sh -e
mkdir -p "$3/bin"
printf '#!/bin/sh\nPYTHONPATH=%%s/site exec %[1]s "$@"\n' "$PWD/$3" >"$3/bin/python"
printf '#!/bin/sh\nshift; exec %[1]s -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --target %%s/site "$@"\n' "$PWD/$3" >"$3/bin/pip"
chmod +x "$3/bin/python" "$3/bin/pip"
`
