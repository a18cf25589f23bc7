//go:build integration

package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// debian is the package of a version, built once for all tests.
func debian(t *testing.T, version string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(program), "dist") // is gone with the stack
	built := func() []string {
		files, err := filepath.Glob(filepath.Join(dir, "windvane_"+version+"_*.deb"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if len(built()) == 0 {
		c := exec.Command("../../systemd/package.sh")
		c.Env = append(os.Environ(), "VERSION="+version, "DIST="+dir)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	files := built()
	if len(files) != 1 {
		t.Fatalf("version %s: %q", version, files)
	}
	return files[0]
}

// The package in a scratch root: installed, upgraded over a changed configuration, removed, purged.
func TestPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg")
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg/info"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := func(args ...string) {
		t.Helper()
		c := exec.Command("dpkg", append([]string{"--root=" + root, "--force-not-root", "--force-script-chrootless", "--log=/dev/null"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("dpkg %v: %v\n%s", args, err, out)
		}
	}
	installed := filepath.Join(root, "usr/bin/windvane")
	version := func() string {
		out, err := exec.Command(installed, "--version").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Fields(string(out))[2]
	}
	config := filepath.Join(root, "etc/windvane/windvane.toml")

	dpkg("-i", debian(t, "1.2.0"))
	if v := version(); v != "1.2.0" {
		t.Errorf("version %s", v)
	}
	const own = "# my own\n"
	if err := os.WriteFile(config, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	dpkg("-i", debian(t, "1.3.0"))
	if v := version(); v != "1.3.0" {
		t.Errorf("version after the upgrade %s", v)
	}
	if b, err := os.ReadFile(config); err != nil || string(b) != own {
		t.Errorf("configuration after the upgrade: %q, %v", b, err)
	}
	dpkg("-r", "windvane")
	if _, err := os.Stat(installed); err == nil {
		t.Error("the program is there after the removal")
	}
	if _, err := os.Stat(config); err != nil {
		t.Errorf("the removal took the configuration with it: %v", err)
	}
	dpkg("-P", "windvane")
	if _, err := os.Stat(config); err == nil {
		t.Error("the configuration is there after the purge")
	}
}
