package authority

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const (
	observe = rules.AuthorityObserve
	approve = rules.AuthorityApprove
	act     = rules.AuthorityAct
)

// allows is what a mesh with the ceiling act may do.
func allows(s *Store, mesh string) rules.Authority {
	return Effective(append(s.Mesh(mesh).Sources(), journal.AuthoritySource{Source: SourceFile, Level: string(act)}))
}

func TestCommandsAndDemotionsAreRemembered(t *testing.T) {
	dir := t.TempDir()
	check := func(mesh string, want rules.Authority) {
		t.Helper()
		if got := allows(Open(dir), mesh); got != want {
			t.Errorf("%s may %s, want %s; %v", mesh, got, want, Open(dir).Mesh(mesh).Sources())
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("shop", act)
	do(Open(dir).Set("shop", observe, "alice", noon))
	check("shop", observe)
	check("other", act)
	do(Open(dir).Set("shop", approve, "bob", noon.Add(time.Hour)))
	check("shop", approve)
	do(Open(dir).Demote("shop", "harm: latency of checkout", noon))
	check("shop", observe)
	do(Open(dir).Set("shop", observe, "bob", noon))
	do(Open(dir).Set("other", act, "bob", noon))
	check("shop", observe)
	sources := Open(dir).Mesh("shop").Sources()
	want := []journal.AuthoritySource{
		{Source: SourceCommand, Level: "observe", By: "bob", Since: noon},
		{Source: SourceDemotion, Level: "observe", By: "windvane", Since: noon, Why: "harm: latency of checkout"},
	}
	if !slices.Equal(sources, want) {
		t.Errorf("sources %+v", sources)
	}
	do(Open(dir).Set("shop", act, "carol", noon)) // which lifts the demotion
	check("shop", act)
}

func TestStopFiles(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	touch := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := touch("stop.shop")
	if allows(s, "shop") != observe || allows(s, "other") != act {
		t.Errorf("stop.shop: shop %s, other %s", allows(s, "shop"), allows(s, "other"))
	}
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	all := touch("stop")
	if allows(s, "shop") != observe || allows(s, "other") != observe {
		t.Errorf("stop: shop %s, other %s", allows(s, "shop"), allows(s, "other"))
	}
	if got := s.Mesh("other").Sources(); len(got) != 1 || got[0].By != all || got[0].Since.IsZero() || !strings.Contains(got[0].Why, "remove it") {
		t.Errorf("sources %+v", got)
	}
	if err := os.Remove(all); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", all); err != nil { // it exists all the same
		t.Fatal(err)
	}
	if allows(s, "shop") != observe {
		t.Error("a stop file that points nowhere does not stop")
	}
}

// A file that cannot be understood stops every mesh, until a person has said something of
// each.
func TestADamagedFileStopsEveryMesh(t *testing.T) {
	good := `{"meshes": {"shop": {"command": {"level": "observe", "by": "alice", "at": "2026-01-01T12:00:00Z"}}}}`
	damaged := []string{"", "{}", "null", "[]", good + "x", strings.Replace(good, "observe", "halt", 1), strings.Replace(good, "command", "comand", 1), "\x00\x00\x00"}
	for n := 0; n < len(good); n += 9 {
		damaged = append(damaged, good[:n])
	}
	for _, text := range damaged {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Open(dir)
		if allows(s, "shop") != observe || allows(s, "other") != observe {
			t.Fatalf("%q: shop %s, other %s", text, allows(s, "shop"), allows(s, "other"))
		}
		if got := s.Mesh("shop").Sources(); len(got) != 1 || !strings.Contains(got[0].Why, "windvane mode MESH act") || !strings.Contains(got[0].Why, path) {
			t.Errorf("%q: sources %+v", text, got)
		}
		if err := s.Set("other", act, "alice", noon); err != nil {
			t.Fatal(err)
		}
		if allows(s, "shop") != observe || allows(s, "other") != act {
			t.Errorf("%q, after other was set to act: shop %s, other %s", text, allows(s, "shop"), allows(s, "other"))
		}
		if got := s.Mesh("shop").Sources(); len(got) != 1 || !strings.Contains(got[0].Why, "damaged") {
			t.Errorf("%q: it is not said any more: %+v", text, got)
		}
	}
}

// A stop works on a disk that takes no more; what raises does not.
func TestStopsWorkWithoutADisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the directory should be
		t.Fatal(err)
	}
	s := Open(dir)
	if got := allows(s, "shop"); got != observe {
		t.Errorf("a state directory that cannot be read: %s, want observe", got)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got := allows(s, "shop"); got != act {
		t.Errorf("an empty state directory: %s, want act", got)
	}
	broken := func(f func()) {
		t.Helper()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(dir, "loop"), dir); err != nil {
			t.Fatal(err)
		}
		f()
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	broken(func() {
		if err := s.Set("shop", act, "alice", noon); err == nil || !strings.Contains(err.Error(), "nothing was raised") {
			t.Errorf("raised without a disk: %v", err)
		}
		if err := s.Demote("shop", "harm", noon); err == nil || !strings.Contains(err.Error(), "all the same") {
			t.Errorf("demoted without a disk: %v; want it said that it will be forgotten", err)
		}
	})
	if got := s.said("shop"); len(got) != 1 || got[0].Source != SourceDemotion {
		t.Errorf("the demotion is not in force: %+v", got)
	}
	if got := allows(s, "shop"); got != observe {
		t.Errorf("%s, want observe", got)
	}
	if got := allows(Open(dir), "shop"); got != observe {
		t.Error("the demotion was not written when the disk was back")
	}
}

// Whatever is said in whatever order, by several processes: no source allows less than the
// effective authority, and it rises by a person's act alone.
func TestNothingRisesWithoutAPerson(t *testing.T) {
	all := []rules.Authority{observe, approve, act}
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		stores := []*Store{Open(dir), Open(dir)}
		ceiling, before := act, act
		annotations := map[string]string{}
		for range 12 {
			s := stores[r.IntN(2)]
			person := true
			switch r.IntN(6) {
			case 0:
				must(t, s.Set("shop", all[r.IntN(3)], "alice", noon))
			case 1:
				must(t, s.Demote("shop", "harm", noon))
				person = false
			case 2:
				must(t, os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600))
			case 3:
				if err := os.Remove(filepath.Join(dir, "stop")); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			case 4:
				annotations["VirtualService ns/a"] = []string{"observe", "approve", "act", "Act", " act\n", ""}[r.IntN(6)]
			case 5: // a restart, and a crash that leaves half of a file
				stores[r.IntN(2)] = Open(dir)
				if r.IntN(4) == 0 {
					must(t, os.WriteFile(filepath.Join(dir, fileName), []byte(`{"mes`), 0o600))
				}
				person = false
			}
			if r.IntN(5) == 0 {
				ceiling, person = all[r.IntN(3)], true
			}
			sources := append(s.Mesh("shop").Sources(), journal.AuthoritySource{Source: SourceFile, Level: string(ceiling)})
			sources = append(sources, Annotated(annotations)...)
			level := Effective(sources)
			for _, x := range sources {
				if Above(level, rules.Authority(x.Level)) {
					t.Fatalf("seed %d: %s in spite of %+v", seed, level, x)
				}
			}
			if Above(level, before) && !person {
				t.Fatalf("seed %d: from %s to %s by itself", seed, before, level)
			}
			before = level
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWaitIsForTheCycleThatMayWrite(t *testing.T) {
	s := Open(t.TempDir())
	leave := s.Mesh("shop").Enter()
	must(t, s.Mesh("other").Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- s.Mesh("shop").Wait(ctx) }()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("waited: %v, want the context's error while the cycle writes", err)
	}
	leave()
	must(t, s.Mesh("shop").Wait(t.Context()))
}
