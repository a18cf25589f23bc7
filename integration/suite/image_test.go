//go:build integration

package suite

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// nonRoot is the user of the image, and of the pods.
const nonRoot = 65532

// image is a directory that has what the container image has, and of a pod what a kubelet and
// its container engine would put there.
type image struct {
	root, address string
	chroot        string // the program of this name
	server        *rest.Config
	env           []string // of the Containerfile, and the API server's
}

// newImage makes the parts of deploy/container/Containerfile one by one.
func newImage(t *testing.T) *image {
	t.Helper()
	chroot, err := exec.LookPath("chroot")
	if err != nil {
		t.Fatal(err)
	}
	i := &image{root: t.TempDir(), address: freeAddress(t), chroot: chroot}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(i.root, 0o755))
	for _, dir := range []string{"usr/bin", "etc/ssl/certs", "etc/windvane", "proc", "dev", "var/run/secrets/kubernetes.io/serviceaccount"} {
		must(os.MkdirAll(filepath.Join(i.root, dir), 0o755))
	}
	i.fresh(t)
	must(os.Mkdir(filepath.Join(i.root, "run"), 0o755))
	must(os.Mkdir(filepath.Join(i.root, "run/windvane"), 0o755))
	must(os.Chown(filepath.Join(i.root, "run/windvane"), nonRoot, nonRoot))
	build := exec.Command("../../tools/build-release.sh", filepath.Join(i.root, "usr/bin/windvane"))
	build.Env = append(os.Environ(), "VERSION=0.1.0", "REVISION=unknown")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	admin, err := shared.Kubeconfig(stack.Admin)
	must(err)
	i.server, err = clientcmd.BuildConfigFromFlags("", admin)
	must(err)
	u, err := url.Parse(i.server.Host)
	must(err)
	i.env = []string{"KUBERNETES_SERVICE_HOST=" + u.Hostname(), "KUBERNETES_SERVICE_PORT=" + u.Port()}
	file, err := os.ReadFile("../../deploy/container/Containerfile")
	must(err)
	for line := range strings.Lines(string(file)) {
		if env, ok := strings.CutPrefix(line, "ENV "); ok {
			i.env = append(i.env, strings.Fields(env)...)
		}
	}
	return i
}

// fresh empties the state, as of a pod with a new volume.
func (i *image) fresh(t *testing.T) {
	t.Helper()
	state := filepath.Join(i.root, "var/lib/windvane")
	for _, err := range []error{os.RemoveAll(state), os.MkdirAll(state, 0o755), os.Chown(state, nonRoot, nonRoot)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mount puts in what a kubelet does: the ConfigMap, by symbolic links, and the service account.
// A second policy that is a process of its own has one run, and the bound is one that no node
// keeps, whatever the load.
func (i *image) mount(t *testing.T, authority rules.Authority) {
	t.Helper()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(i.root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"windvane.toml", "rules-shop.toml"} {
		text, err := os.ReadFile(filepath.Join(manifests, file))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("http://prometheus.monitoring.svc:9090", prometheus.URL(), `authority = "observe"`, fmt.Sprintf("authority = %q", authority),
			`interval = "5s"`, fmt.Sprintf("interval = %q", interval), `settle = "2s"`, `settle = "200ms"`, `bound = "50ms"`, `bound = "5ms"`,
			"[plugin.shed]", "[plugin.aside]\nbuiltin = \"explore\"\n\n[plugin.shed]", "[guard]", "[[policy]]\nname = \"aside\"\nplugin = \"aside\"\nrole = \"shadow\"\n\n[guard]").Replace(string(text))
		write("etc/windvane/..data/"+file, changed)
		if err := os.Symlink("..data/"+file, filepath.Join(i.root, "etc/windvane", file)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	token, err := shared.Kubectl(t.Context(), stack.Admin, "", "create", "token", "windvane", "-n", "windvane")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(i.server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	const account = "var/run/secrets/kubernetes.io/serviceaccount/"
	write(account+"token", strings.TrimSpace(token))
	write(account+"ca.crt", string(ca))
	write(account+"namespace", "windvane")
}

// command is a container of the pod, as arguments of unshare(1): the program with the container's
// arguments as the image's user, who sees nothing but the image, and may write to nothing but
// the volumes.
func (i *image) command(args ...string) []string {
	const script = `mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec env -i "$@"`
	out := append([]string{"--mount", "sh", "-c", script, i.root}, i.env...)
	return append(append(out, i.chroot, fmt.Sprintf("--userspec=%d:%[1]d", nonRoot), fmt.Sprintf("--groups=%d", nonRoot), i.root, "/usr/bin/windvane"), args...)
}

// exec runs a command of windvane beside the daemon, as kubectl exec does.
func (i *image) exec(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("unshare", i.command(args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("windvane %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start runs the daemon's container until its probe says that it is ready.
func (i *image) start(t *testing.T, name string) *stack.Windvane {
	t.Helper()
	args := containerArgs(t, daemonPod(t))
	for k, a := range args {
		args[k] = strings.Replace(a, "=:9480", "="+i.address, 1) // several may run on this machine
	}
	p, err := shared.Run(name, "unshare", nil, i.command(args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(10 * time.Second) })
	w := &stack.Windvane{Process: p, Address: i.address}
	for end := time.Now().Add(time.Minute); ; time.Sleep(interval / 10) {
		_, err := w.Ask(t.Context(), "/-/ready")
		if err == nil {
			break
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(p.Log)
			t.Fatalf("%v\n%s", err, log)
		}
	}
	return w
}

func containerArgs(t *testing.T, pod podTemplate) []string {
	t.Helper()
	var spec struct {
		Containers []struct {
			Args []string `json:"args"`
		} `json:"containers"`
	}
	raw, err := json.Marshal(pod.Spec)
	if err == nil {
		err = json.Unmarshal(raw, &spec)
	}
	if err != nil || len(spec.Containers) != 1 {
		t.Fatalf("%v; %s", err, raw)
	}
	return spec.Containers[0].Args
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody was let in
	return l.Addr().String()
}

// A pod's life without a container engine: windvane as the manifests start it, in a root that has
// what the image has, with the rights of its ServiceAccount's token. It observes; promoted
// as the README says it acts; and the job gives back what was there, without the state.
func TestPodOfTheManifests(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can show a process another root directory")
	}
	before := front(t)
	actuator(t) // which gives back what is left by a failure
	defer kubectl(t, "delete", "rolebinding", "windvane-observe", "windvane-act", "-n", "default", "--ignore-not-found")
	if err := shared.Apply(t.Context(), kustomized(t)); err != nil {
		t.Fatal(err)
	}
	i := newImage(t)
	program, err := elf.Open(filepath.Join(i.root, "usr/bin/windvane"))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := program.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("the program needs %q, %v; want it static", libraries, err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}

	offering(t, 20)
	i.mount(t, rules.AuthorityObserve)
	w := i.start(t, "windvane-0-observing")
	eventually(t, w, 20*time.Second, "holds the lease, and measures", func(m api.Mesh) bool {
		return m.Cycle > 2 && !standsBy(m) && objectives(m, func(api.Service, api.Objective) bool { return true })
	})
	if _, err := w.Ask(t.Context(), "/-/healthy"); err != nil {
		t.Error(err)
	}
	if out := i.exec(t, "status"); !strings.Contains(out, "shop") {
		t.Errorf("status: %s", out)
	}
	w.Stop(10 * time.Second)
	if after := front(t); after != before {
		t.Errorf("spec after observing\n%s\nbefore\n%s", after, before)
	}

	kubectl(t, "create", "rolebinding", "windvane-act", "-n", "default", "--clusterrole=windvane-act", "--serviceaccount=windvane:windvane")
	i.mount(t, rules.AuthorityAct)
	w = i.start(t, "windvane-0-acting")
	i.exec(t, "doctor", "--config.file", "/etc/windvane/windvane.toml")
	eventually(t, w, time.Minute, "something shed", func(m api.Mesh) bool { return leads(m) && blocked(m) > 0 })
	const up = `windvane_plugin_up{mesh="shop",policy="aside"} 1`
	if text, err := w.Ask(t.Context(), "/metrics"); err != nil || !strings.Contains(text, up) {
		t.Errorf("the plugin does not run in the image: no %s, %v", up, err)
	}
	w.Stop(10 * time.Second)
	if front(t) == before {
		t.Error("nothing was written")
	}
	i.fresh(t)
	t.Logf("release: %s", i.exec(t, containerArgs(t, releasePod(t))...))
	if after := front(t); after != before {
		t.Errorf("spec after release\n%s\nbefore\n%s", after, before)
	}
}
