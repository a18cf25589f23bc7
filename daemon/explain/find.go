package explain

import "fmt"

// Find returns the ID of a mesh's cycle, by halves: cycles and IDs grow together. page answers a
// Query as Decisions does. An empty mesh means the one that decided last; cycle 0 the last.
func Find(page func(Query) ([]Decision, uint64, error), mesh string, cycle uint64) (uint64, error) {
	newest, err := newestBefore(page, mesh, 0)
	if err != nil {
		return 0, err
	}
	if newest == nil {
		return 0, unknown(mesh, cycle)
	}
	if mesh == "" {
		mesh = newest.Mesh
	}
	if cycle == 0 || newest.Cycle == cycle {
		return newest.ID, nil
	}
	for low, high := uint64(0), newest.ID; low < high; { // it is one of low to high-1
		middle := low + (high-low)/2
		d, err := newestBefore(page, mesh, middle+1)
		switch {
		case err != nil:
			return 0, err
		case d == nil || d.Cycle < cycle:
			low = middle + 1
		case d.Cycle == cycle:
			return d.ID, nil
		default:
			high = d.ID
		}
	}
	return 0, unknown(mesh, cycle)
}

// newestBefore returns a mesh's newest decision before an ID (0: of all); nil: there is none.
func newestBefore(page func(Query) ([]Decision, uint64, error), mesh string, before uint64) (*Decision, error) {
	for {
		found, next, err := page(Query{Mesh: mesh, Limit: 1, Before: before})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return &found[0], nil
		}
		if next == 0 {
			return nil, nil
		}
		before = next
	}
}

func unknown(mesh string, cycle uint64) error {
	return fmt.Errorf("explain: %s: %w; `windvane decisions` lists what there is", what(mesh, cycle), ErrNotFound)
}
