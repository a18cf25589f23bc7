// Package kubernetes_test holds the manifests against the program and its image; no API server is
// asked here, which integration/suite does.
package kubernetes_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/rules"
)

// pod is the part of a pod's spec that is compared.
type pod struct {
	ServiceAccountName string
	SecurityContext    map[string]any
	Containers         []struct {
		Image           string
		Args            []string
		Env             []struct{ Name, Value string }
		Ports           []struct{ ContainerPort int }
		SecurityContext map[string]any
		VolumeMounts    []struct{ Name, MountPath string }

		StartupProbe, LivenessProbe, ReadinessProbe struct{ HTTPGet struct{ Path, Port string } }
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string }
	}
}

// read decodes a manifest of one document.
func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func pods(t *testing.T) (daemon, release pod) {
	t.Helper()
	var set struct {
		Spec struct{ Template struct{ Spec pod } }
	}
	read(t, "statefulset.yaml", &set)
	var job struct {
		Spec struct {
			JobTemplate struct {
				Spec struct{ Template struct{ Spec pod } }
			}
		}
	}
	read(t, "release.yaml", &job)
	daemon, release = set.Spec.Template.Spec, job.Spec.JobTemplate.Spec.Template.Spec
	if len(daemon.Containers) != 1 || len(release.Containers) != 1 {
		t.Fatalf("%d and %d containers, want one each", len(daemon.Containers), len(release.Containers))
	}
	return daemon, release
}

// mounted returns where a pod has a volume.
func (p pod) mounted(t *testing.T, volume string) string {
	t.Helper()
	for _, m := range p.Containers[0].VolumeMounts {
		if m.Name == volume {
			return m.MountPath
		}
	}
	t.Fatalf("no volume %s is mounted", volume)
	return ""
}

type kustomization struct {
	Resources          []string
	ConfigMapGenerator []struct {
		Name  string
		Files []string
	}
	Images []struct{ Name string }
}

// The files of the ConfigMap are as they should be, as a kubelet mounts them: by symbolic links.
func TestConfigMap(t *testing.T) {
	var k kustomization
	read(t, "kustomization.yaml", &k)
	daemon, _ := pods(t)
	if len(k.ConfigMapGenerator) != 1 || k.ConfigMapGenerator[0].Name != daemon.Volumes[0].ConfigMap.Name {
		t.Fatalf("%+v, %+v: want one ConfigMap, which the pods have", k.ConfigMapGenerator, daemon.Volumes)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..data"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, file := range k.ConfigMapGenerator[0].Files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "..data", file), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "windvane.toml"), []string{"threshold"})
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	if len(c.Meshes) != len(k.ConfigMapGenerator[0].Files)-1 {
		t.Errorf("%d meshes of %d files", len(c.Meshes), len(k.ConfigMapGenerator[0].Files))
	}
	for _, m := range c.Meshes {
		if m.Guard.Authority != rules.AuthorityObserve {
			t.Errorf("mesh %s starts in authority %s", m.Name, m.Guard.Authority)
		}
	}
	if c.StateDirectory != daemon.mounted(t, "state") {
		t.Errorf("state_directory %s is no volume", c.StateDirectory)
	}
	roles, err := os.ReadFile("rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bindings, err := os.ReadFile("bindings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(roles, []byte("resourceNames: ["+c.Lease.Name+"]")); n != 2 {
		t.Errorf("rbac.yaml names lease %q %d times, want Lease and ConfigMap", c.Lease.Name, n)
	}
	if want := "  name: windvane-lease\n  namespace: " + c.Lease.Namespace + "\n"; !strings.Contains(string(bindings), want) {
		t.Errorf("bindings.yaml does not bind windvane-lease in namespace %s", c.Lease.Namespace)
	}
}

// Every manifest is of the kustomization.
func TestKustomizationIsComplete(t *testing.T) {
	var k kustomization
	read(t, "kustomization.yaml", &k)
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "kustomization.yaml" })
	slices.Sort(k.Resources)
	if !slices.Equal(files, k.Resources) {
		t.Errorf("files %q, resources %q", files, k.Resources)
	}
}

// The pods ask for what the program has, and as the image has it.
func TestPodsAreOfTheProgramAndItsImage(t *testing.T) {
	var k kustomization
	read(t, "kustomization.yaml", &k)
	daemon, release := pods(t)
	c, once := daemon.Containers[0], release.Containers[0]
	for _, p := range []string{c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		if !slices.Contains(api.Paths(), p) {
			t.Errorf("probe of %q, which is no endpoint", p)
		}
	}
	flags := map[string]string{}
	for _, a := range c.Args[1:] {
		name, value, _ := strings.Cut(a, "=")
		flags[name] = value
	}
	if want := filepath.Join(daemon.mounted(t, "config"), "windvane.toml"); flags["--config.file"] != want || !slices.Contains(once.Args, "--config.file="+want) {
		t.Errorf("arguments %q and %q, want %s", c.Args, once.Args, want)
	}
	_, port, err := net.SplitHostPort(flags["--web.listen-address"])
	if err != nil || len(c.Ports) != 1 || port != "9480" || c.Ports[0].ContainerPort != 9480 {
		t.Errorf("listens on %s, %v; ports %+v", port, err, c.Ports)
	}
	if len(c.Env) != 1 || c.Env[0].Name != "RUNTIME_DIRECTORY" || c.Env[0].Value != daemon.mounted(t, "runtime") {
		t.Errorf("environment %+v", c.Env)
	}
	if !reflect.DeepEqual(daemon.SecurityContext, release.SecurityContext) || !reflect.DeepEqual(c.SecurityContext, once.SecurityContext) || daemon.ServiceAccountName != release.ServiceAccountName {
		t.Error("release has other rights than the daemon")
	}
	if len(k.Images) != 1 || c.Image != k.Images[0].Name || once.Image != c.Image {
		t.Errorf("images %q and %q, of which the kustomization says %+v", c.Image, once.Image, k.Images)
	}

	image, err := os.ReadFile("../container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"USER 65532:65532\n", "EXPOSE 9480\n", "RUNTIME_DIRECTORY=" + c.Env[0].Value + "\n",
		`CMD ["` + strings.Join(c.Args, `", "`) + `"]`,
		" --chown=65532:65532 /empty " + daemon.mounted(t, "state") + "\n", " --chown=65532:65532 /empty " + daemon.mounted(t, "runtime") + "\n",
	} {
		if !strings.Contains(string(image), want) {
			t.Errorf("the Containerfile does not say %q", want)
		}
	}
	if user := daemon.SecurityContext["runAsUser"]; user != 65532. {
		t.Errorf("the pods run as %v", user)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(string(mod), "\ngo ")
	if minor := strings.Join(strings.SplitN(version, ".", 3)[:2], "."); !strings.Contains(string(image), "golang:"+minor+" AS build") {
		t.Errorf("the image is not built by Go %s, which go.mod asks for", minor)
	}
	if info, err := os.Stat("../../tools/build-release.sh"); err != nil || info.Mode()&0o111 == 0 || !strings.Contains(string(image), "tools/build-release.sh") {
		t.Errorf("what builds the image: %v, %v", info, err)
	}
}
