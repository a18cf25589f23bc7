package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

func testCard() Card {
	return Card{
		Policy: "tabular", Mesh: "m", Seed: 7, Data: Data{SHA256: "00", Rows: 3, Configurations: 2},
		Services:   []ServiceCard{{Service: "a", Signal: "latency", Offered: model.Span{Min: 1, Max: 2}, Loads: []float64{1, 2}, R2: .9, Margin: .1, Spread: .2}},
		BestStatic: []Static{{Objective: ObjectiveBudget, Action: policy.Action{}, Violated: map[string]float64{"a": .01}, Feasible: true}},
	}
}

func write(t *testing.T) (dir string) {
	t.Helper()
	dir, err := Write(t.TempDir(), testCard(), []byte("table"), []byte("model"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestArtefactRoundTrip(t *testing.T) {
	dir := write(t)
	a, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := testCard()
	want.Version, want.Artefact, want.Model = 1, digest([]byte("table")), digest([]byte("model"))
	if d := cmp.Diff(want, a.Card); d != "" {
		t.Errorf("the card changed (-want +got):\n%s", d)
	}
	if string(a.Policy) != "table" || string(a.Model) != "model" {
		t.Errorf("files %q, %q", a.Policy, a.Model)
	}
	if first := a.Card.Initial("a", "latency"); first.Margin != .1 || first.Spread != .2 {
		t.Errorf("first control state %+v", first)
	}
	again, err := Write(filepath.Dir(dir), testCard(), []byte("table"), []byte("model"))
	if err != nil || again != dir {
		t.Errorf("the same content went to %s (%v), first to %s", again, err, dir)
	}
	other, err := Write(filepath.Dir(dir), testCard(), []byte("table 2"), []byte("model"))
	if err != nil || other == dir {
		t.Errorf("other content went to the same directory (%v)", err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 2 {
		t.Errorf("%d entries beside two artefacts (%v)", len(left), err)
	}
}

// Every file is covered: a flipped byte in any of them is refused, and named.
func TestReadRefusesWhatWasTamperedWith(t *testing.T) {
	for _, name := range []string{cardFile, policyFile, modelFile} {
		dir := write(t)
		file := filepath.Join(dir, name)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// In the card: a margin of .1 becomes .9.
		changed := strings.Replace(string(b), `"margin": 0.1`, `"margin": 0.9`, 1)
		if changed == string(b) {
			changed = "x" + changed[1:]
		}
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "train it again") {
			t.Errorf("%s changed: error %v", name, err)
		}
		if _, err := Write(filepath.Dir(dir), testCard(), []byte("table"), []byte("model")); err == nil || !strings.Contains(err.Error(), "remove it first") {
			t.Errorf("%s changed, written again: error %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s removed: error %v", name, err)
		}
	}
}

// A directory may be given a name that says what it is for.
func TestReadUnderAnotherName(t *testing.T) {
	dir := write(t)
	renamed := filepath.Join(filepath.Dir(dir), "production")
	if err := os.Rename(dir, renamed); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(renamed); err != nil {
		t.Error(err)
	}
}

func TestReadRefusesOtherVersions(t *testing.T) {
	dir := write(t)
	file := filepath.Join(dir, cardFile)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), `"version": 1`, `"version": 2`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("error %v", err)
	}
}

func TestWriteSaysWhereItCannot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(file, testCard(), nil, nil); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}

// A name that Write gave is looked for in the directory of artefacts, where it is not beside the
// file that names it; no other name is.
func TestFind(t *testing.T) {
	here, store := t.TempDir(), t.TempDir()
	kept, err := Write(store, Card{Policy: "tabular", Mesh: "shop"}, []byte("a"), []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(kept)
	for _, c := range []struct{ path, want string }{
		{filepath.Join(here, name), kept},
		{filepath.Join(here, "tabular-000000000000"), filepath.Join(here, "tabular-000000000000")},
		{filepath.Join(here, "mine"), filepath.Join(here, "mine")},
	} {
		if got := Find(c.path, store); got != c.want {
			t.Errorf("%s is found at %s, want %s", c.path, got, c.want)
		}
	}
	if err := os.Mkdir(filepath.Join(store, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Find(filepath.Join(here, "mine"), store); got != filepath.Join(here, "mine") {
		t.Errorf("a name of another kind is found at %s", got)
	}
	if err := os.Mkdir(filepath.Join(here, name), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Find(filepath.Join(here, name), store); got != filepath.Join(here, name) {
		t.Errorf("what is where the file says is found at %s", got)
	}
	a, err := Read(kept)
	if err != nil || !a.Verified || a.Name() != name || a.Written.IsZero() {
		t.Errorf("read: %+v, %v", a, err)
	}
	if err := os.Rename(kept, filepath.Join(store, "renamed")); err != nil {
		t.Fatal(err)
	}
	if a, err = Read(filepath.Join(store, "renamed")); err != nil || a.Verified || a.Name() != name {
		t.Errorf("renamed: %+v, %v", a, err)
	}
}

// The name of a policy is a part of a path, and one of a plugin's own.
func TestNamesOfPolicies(t *testing.T) {
	card := testCard()
	for name, right := range map[string]bool{
		"tabular": true, "sb3-ppo": true, "x1": true,
		"": false, "../x": false, "a/b": false, "a b": false, "Mine": false, "-x": false, "ä": false, "x\n": false, strings.Repeat("x", 41): false,
	} {
		card.Policy = name
		dir := t.TempDir()
		path, err := Write(dir, card, []byte("table"), []byte("model"))
		if (err == nil) != right {
			t.Errorf("%q: %v", name, err)
		}
		if left, _ := os.ReadDir(dir); !right && len(left) > 0 {
			t.Errorf("%q: wrote %v", name, left)
		}
		if !right {
			continue
		}
		if a, err := Read(path); err != nil || !a.Verified {
			t.Errorf("%q: %v", name, err)
		}
		if got := Find("elsewhere/"+filepath.Base(path), dir); got != path {
			t.Errorf("%q: found at %s", name, got)
		}
	}
}
