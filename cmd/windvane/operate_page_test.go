package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/internal/console"
)

// docs/operate.md has commands of three worlds: console blocks are run here, on an emulated
// mesh; those of the world mesh by integration/suite, on a real one; those of the world host
// cannot be run by a test, and are looked at here word by word.
const (
	operatePage = "../../docs/operate.md"

	worldEmulated = ""
	worldMesh     = "mesh"
	worldHost     = "host"
)

func operateBlocks(t *testing.T) (page string, blocks []console.Block) {
	t.Helper()
	text, err := os.ReadFile(operatePage)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err = console.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", operatePage, err)
	}
	return string(text), blocks
}

// onHost has each command of the world host with the reason why no test runs it. What it
// names is looked for in what is shipped.
var onHost = map[string]string{
	"systemctl status windvane":                                                         "there is no systemd in a test",
	"journalctl -u windvane -n 50":                                                      "there is no systemd in a test",
	"journalctl -u windvane-release -n 20":                                              "there is no systemd in a test",
	"kubectl apply -k deploy/kubernetes":                                                "integration/suite has a real API server admit each object of it (TestManifests); nobody runs its pods",
	"kubectl exec -n windvane windvane-0 -- windvane status":                            "there is no kubelet in a test; TestManifests runs the pods' commands in a root like the image's",
	"kubectl scale statefulset -n windvane windvane --replicas=0":                       "there is no controller in a test",
	"kubectl create job -n windvane --from=cronjob/windvane-release windvane-release-1": "there is no controller in a test; TestManifests runs what the job does",
}

// No command is on the page that nothing runs or looks at: not in its blocks, and not in its
// text, where only those of blocks may be repeated.
func TestOperatePageHasNoOtherCommands(t *testing.T) {
	page, blocks := operateBlocks(t)
	shown := map[string]bool{}
	var host []string
	for _, b := range blocks {
		if !slices.Contains([]string{worldEmulated, worldMesh, worldHost}, b.World) {
			t.Errorf("line %d: a block of the world %q, which nothing runs", b.Line, b.World)
		}
		for _, s := range b.Steps {
			command, _, _ := strings.Cut(s.Command, " # exit code")
			shown[command] = true
			if b.World != worldHost {
				continue
			}
			host = append(host, s.Command)
			if onHost[s.Command] == "" {
				t.Errorf("line %d: `%s` is run by no test: have one do it, or say in onHost why none can", s.Line, s.Command)
			}
			namedThingsExist(t, s)
		}
	}
	for command := range onHost {
		if !slices.Contains(host, command) {
			t.Errorf("onHost has `%s`, and the page does not", command)
		}
	}
	for _, s := range console.Spans(page, "windvane", "sudo", "systemctl", "journalctl", "kubectl", "promtool", "amtool", "curl", "df") {
		begun := func(command string) bool {
			return strings.HasPrefix(strings.TrimPrefix(command, "sudo ")+" ", strings.TrimPrefix(s.Command, "sudo ")+" ")
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(shown)), begun) {
			t.Errorf("line %d: `%s` is in no console block, so that no test runs it", s.Line, s.Command)
		}
	}
}

var object = regexp.MustCompile(`(statefulset|cronjob|exec)(?: -n windvane |/)([a-z-]+?)(?:-0)?(?: |$)`)

// namedThingsExist looks for units, folders and objects that a command names.
func namedThingsExist(t *testing.T, s console.Step) {
	t.Helper()
	words := strings.Fields(s.Command)
	switch words[0] {
	case "systemctl", "journalctl":
		if _, err := os.Stat(filepath.Join("../../systemd", words[2]+".service")); err != nil {
			t.Errorf("line %d: %v", s.Line, err)
		}
	case "kubectl":
		if words[1] == "apply" {
			if _, err := os.Stat(filepath.Join("../..", words[3], "kustomization.yaml")); err != nil {
				t.Errorf("line %d: %v", s.Line, err)
			}
			return
		}
		m := object.FindStringSubmatch(s.Command)
		if m == nil {
			t.Errorf("line %d: `%s` names nothing that can be looked for", s.Line, s.Command)
			return
		}
		kind := map[string]string{"statefulset": "StatefulSet", "exec": "StatefulSet", "cronjob": "CronJob"}[m[1]]
		if !manifestHas(t, kind, m[2]) {
			t.Errorf("line %d: deploy/kubernetes has no %s %s", s.Line, kind, m[2])
		}
	}
}

func manifestHas(t *testing.T, kind, name string) bool {
	t.Helper()
	files, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "kind: "+kind+"\nmetadata:\n  name: "+name+"\n  namespace: windvane\n") {
			return true
		}
	}
	return false
}

// Each file that the page says is installed is in the package, and each metric in docs/metrics.md.
func TestOperatePageNamesWhatThereIs(t *testing.T) {
	page, _ := operateBlocks(t)
	contents, err := os.ReadFile("../../systemd/nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile(`/(?:usr/share|usr/bin|etc/windvane|etc/default)/[a-z./-]*[a-z]`).FindAllString(page, -1) {
		if !strings.Contains(string(contents), "dst: "+path) && !slices.Contains([]string{"/etc/windvane/secrets/kubeconfig", "/etc/windvane/rules.d/shop.toml", "/etc/windvane", "/usr/share/windvane"}, path) {
			t.Errorf("the package has no %s", path)
		}
	}
	metrics, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bwindvane_[a-z_]+`).FindAllString(page, -1) {
		if !strings.Contains(string(metrics), "`"+name+"`") {
			t.Errorf("docs/metrics.md has no %s", name)
		}
	}
	codes, err := os.ReadFile("../../docs/reason-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(page, "## Troubleshooting by reason code")
	rows, _, _ = strings.Cut(rows, "\n## ")
	for _, cell := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(rows, -1) {
		for code := range strings.SplitSeq(cell[1], ", ") {
			if !strings.Contains(string(codes), "| "+code+" |") {
				t.Errorf("docs/reason-codes.md has no %s", code)
			}
		}
	}
}
