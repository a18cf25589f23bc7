package roles

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	if got, err := s.Read("shop"); err != nil || !cmp.Equal(got, State{}) {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	want := said(t, declared(t), "promote new")
	for _, mesh := range []string{"shop", "books"} {
		if err := s.Write(mesh, want); err != nil {
			t.Fatal(err)
		}
	}
	other := said(t, want, "demote new")
	if err := Open(dir).Write("shop", other); err != nil {
		t.Fatal(err)
	}
	for mesh, want := range map[string]State{"shop": other, "books": want} {
		if got, err := s.Read(mesh); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", mesh, err, cmp.Diff(want, got))
		}
	}
}

func TestDamagedFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"meshes": {"shop"`, "of another kind": `{}`, "more": `{"meshes": {}} {}`,
		"a role that is none": `{"meshes": {"shop": {"policies": {"a": {"role": "king"}}}}}`,
		"two active":          `{"meshes": {"shop": {"policies": {"a": {"role": "active"}, "b": {"role": "active"}}}}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(File(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Open(dir)
		got, err := s.Read("shop")
		if _, damaged := errors.AsType[*DamagedError](err); !damaged || !strings.Contains(err.Error(), "roles.json is damaged") || !cmp.Equal(got, State{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err := s.Write("shop", declared(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := s.Read("shop"); err != nil || got.Active() != "old" {
			t.Errorf("%s: after it was written %+v, %v", name, got, err)
		}
	}
	// What cannot be read for another reason is not replaced.
	dir := t.TempDir()
	if err := os.Mkdir(File(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Open(dir).Write("shop", declared(t)); err == nil {
		t.Error("a directory in the file's place was written")
	}
}
