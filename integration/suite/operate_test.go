//go:build integration

package suite

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/internal/console"
	"github.com/windvane/windvane/rules"
)

// The blocks of docs/operate.md of the world mesh, one after the other, as a person on a VM
// beside Prometheus gives them: the package in a scratch root, its units by what they say
// (units_test.go), and the real mesh. Numbers and times apart, they print what is shown.
// cmd/windvane runs the page's other commands.
func TestOperate(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("there is no dpkg")
	}
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := console.Parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	o := newOperated(t)
	before := front(t)
	offering(t, 60)
	for _, b := range blocks {
		if b.World != "mesh" {
			continue
		}
		switch b.Given {
		case "":
		case "it has acted":
			o.haveActed()
		case "the next cycle":
			o.nextCycle()
		default:
			t.Fatalf("line %d: nobody knows how to bring about that %s", b.Line, b.Given)
		}
		for _, step := range b.Steps {
			if arguments, ok := strings.CutPrefix(step.Command, "sudo systemctl "); ok {
				o.units.systemctl(strings.Fields(arguments)...)
				continue
			}
			if wrong := o.shell.Step(t.Context(), step, sameNumbers); wrong != "" {
				t.Error(wrong)
			}
			o.localize()
		}
	}
	if after := front(t); after != before {
		t.Errorf("spec in the end\n%s\nbefore\n%s", after, before)
	}
}

var number = regexp.MustCompile(`\d+(?:\.\d+)?`)

// sameNumbers takes one number for another, and any room between words for a space.
func sameNumbers(line string) string {
	return strings.Join(strings.Fields(number.ReplaceAllString(line, "0")), " ")
}

// operated is a VM: a scratch root with the package, and a shell that sees it.
type operated struct {
	t     *testing.T
	root  string
	shell console.Shell
	units *units
}

func newOperated(t *testing.T) *operated {
	kubeconfig, err := shared.Kubeconfig(stack.Admin)
	if err != nil {
		t.Fatal(err)
	}
	deploy, err := filepath.Abs("../../deploy")
	if err != nil {
		t.Fatal(err)
	}
	home, root, bin := t.TempDir(), t.TempDir(), t.TempDir()
	run, err := os.MkdirTemp("", "wv") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	o := &operated{t: t, root: root}
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/windvane", "etc/prometheus"} {
		o.must(os.MkdirAll(filepath.Join(root, dir), 0o750))
	}
	for _, file := range []string{"status", "available"} {
		o.must(os.WriteFile(filepath.Join(root, "var/lib/dpkg", file), nil, 0o600))
	}
	for _, version := range []string{"1.2.0", "1.3.0"} {
		o.must(os.MkdirAll(filepath.Join(home, "dist"), 0o750))
		o.must(os.Symlink(debian(t, version), filepath.Join(home, "dist", "windvane_"+version+"_amd64.deb"))) // whatever machine this is
	}
	for name, script := range map[string]string{
		"sudo": `exec env "$@"`,
		"dpkg": `exec ` + filepath.Join("/usr/bin", "dpkg") + ` --root=` + root + ` --force-not-root --force-script-chrootless --log=/dev/null "$@" >/dev/null`,
	} {
		o.must(os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	for _, tool := range []string{"kubectl", "promtool", "amtool"} {
		o.must(os.Symlink(shared.Tool(tool), filepath.Join(bin, tool)))
	}
	address := freeAddress(t)
	o.shell = console.Shell{
		Dir: home,
		Env: append(os.Environ(), "RUNTIME_DIRECTORY="+run, "KUBECONFIG="+kubeconfig,
			"PATH="+strings.Join([]string{bin, filepath.Join(root, "usr/bin"), os.Getenv("PATH")}, ":")),
		Places: []console.Place{
			{Page: "/etc/", Here: filepath.Join(root, "etc") + "/"},
			{Page: "/usr/share/windvane", Here: filepath.Join(root, "usr/share/windvane")},
			{Page: "/usr/bin/windvane", Here: filepath.Join(root, "usr/bin/windvane")},
			{Page: "/var/lib/windvane", Here: filepath.Join(root, "var/lib/windvane")},
			{Page: "/run/windvane", Here: run},
			{Page: "http://127.0.0.1:9090", Here: prometheus.URL()},
			{Page: "127.0.0.1:9480", Here: address},
			{Page: "deploy/kubernetes", Here: filepath.Join(deploy, "kubernetes")},
			// The manifests' own namespace is not to be deleted: without a controller it would never be gone.
			{Page: "-n windvane ", Here: "-n windvane-vm "},
			{Page: "namespace windvane", Here: "namespace windvane-vm"},
			{Page: "namespace/windvane", Here: "namespace/windvane-vm"},
			{Page: "windvane:windvane", Here: "windvane-vm:windvane"},
			{Page: `namespace "windvane"`, Here: `namespace "windvane-vm"`},
		},
	}
	roles, err := os.ReadFile(filepath.Join(deploy, "kubernetes", "rbac.yaml"))
	o.must(err)
	if _, err := shared.Kubectl(t.Context(), stack.Admin, string(roles), "delete", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // other tests bind them
		if err := shared.Apply(context.Background(), string(roles)); err != nil {
			t.Error(err)
		}
	})
	o.units = &units{t: t, root: root, credentials: t.TempDir(), shell: o.shell, url: "http://" + address}
	t.Cleanup(o.units.stop)
	return o
}

func (o *operated) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// localize has the files of the root name it: what a file says is no command's text.
func (o *operated) localize() {
	o.t.Helper()
	file := filepath.Join(o.root, "etc/windvane/windvane.toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	o.must(err)
	if state := `"/var/lib/windvane"`; strings.Contains(string(text), state) {
		o.must(os.WriteFile(file, []byte(strings.Replace(string(text), state, o.shell.Here(state), 1)), 0o600))
	}
}

// haveActed has windvane act, on objectives that people have written by then, and more load
// come than can be carried, until something is shed.
func (o *operated) haveActed() {
	o.t.Helper()
	o.must(os.WriteFile(filepath.Join(o.root, "etc/windvane/rules.d/shop.toml"), []byte(stack.Rules(stack.RulesOptions{
		Authority: rules.AuthorityAct, Interval: interval, Bounds: bounds, Policies: strings.ReplaceAll(threshold, "shed", "rules"),
	})), 0o600))
	o.units.systemctl("start", "windvane")
	o.units.systemctl("reload", "windvane")
	defer offering(o.t, 200)()
	eventually(o.t, o.daemon(), 30*time.Second, "something shed", func(m api.Mesh) bool { return blocked(m) > 0 && m.Hold == "" })
}

// nextCycle waits for a whole one.
func (o *operated) nextCycle() {
	o.t.Helper()
	m, err := o.daemon().Status(o.t.Context())
	o.must(err)
	eventually(o.t, o.daemon(), 30*time.Second, "two cycles later", func(now api.Mesh) bool { return now.Cycle >= m.Cycle+2 })
}

func (o *operated) daemon() *stack.Windvane {
	return &stack.Windvane{Address: strings.TrimPrefix(o.units.url, "http://")}
}
