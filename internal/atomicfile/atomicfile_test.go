package atomicfile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWriteReplacesOrLeavesAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "x.json")
	for _, want := range []string{"one", "two"} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	// A directory in its place cannot be replaced; nothing else is left behind.
	blocked := filepath.Join(dir, "d")
	if err := os.MkdirAll(filepath.Join(blocked, "sub"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := Write(blocked, []byte("three")); err == nil {
		t.Error("a directory was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v; want the file and the directory alone", entries, err)
	}
}

// What an administrator sets beside a daemon, the daemon can read.
func TestRootsFileIsItsDirectorysOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	const uid, gid = 61234, 61235
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "authority.json")
	if err := Write(path, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	var owner unix.Stat_t
	if err := unix.Stat(path, &owner); err != nil || owner.Uid != uid || owner.Gid != gid {
		t.Errorf("owned by %d:%d, %v; want %d:%d", owner.Uid, owner.Gid, err, uid, gid)
	}
}
