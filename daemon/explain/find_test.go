package explain

import (
	"errors"
	"testing"
)

// Every cycle is found, with pages that are cut short, and in few questions.
func TestFind(t *testing.T) {
	dir := interleaved(t, 7)
	asked := 0
	page := func(q Query) ([]Decision, uint64, error) {
		if asked++; asked%3 == 0 && q.Before > 4 {
			return nil, q.Before, nil // it has read as much as a page may
		}
		return Decisions(t.Context(), dir, q)
	}
	all, _, err := Decisions(t.Context(), dir, Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		asked = 0
		if id, err := Find(page, d.Mesh, d.Cycle); err != nil || id != d.ID || asked > 20 {
			t.Errorf("%s %d: %d, %v after %d questions; want %d", d.Mesh, d.Cycle, id, err, asked, d.ID)
		}
	}
	if id, err := Find(page, "", 0); err != nil || id != all[0].ID {
		t.Errorf("the last: %d, %v; want %d", id, err, all[0].ID)
	}
	if id, err := Find(page, "", 3); err != nil || id == 0 {
		t.Errorf("of the mesh that decided last: %d, %v", id, err)
	}
	for _, c := range []struct {
		mesh  string
		cycle uint64
	}{{"shop", 8}, {"nothing", 1}, {"nothing", 0}} {
		if id, err := Find(page, c.mesh, c.cycle); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %d, %v; want ErrNotFound", c, id, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Find(func(Query) ([]Decision, uint64, error) { return nil, 0, broken }, "", 0); !errors.Is(err, broken) {
		t.Errorf("%v, want the page's error", err)
	}
}
