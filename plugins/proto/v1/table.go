package policyv1

import (
	"fmt"

	"github.com/windvane/windvane/plugins/policy"
)

// FromTable converts a table.
func FromTable(t policy.Table) *Table {
	out := &Table{Columns: t.Columns, Note: t.Note}
	for _, cells := range t.Rows {
		out.Rows = append(out.Rows, &Row{Cells: cells})
	}
	return out
}

// ToTable converts a table. It is an error if there is none, if it has no columns or more
// rows than are wanted, or if a row has another number of cells than there are columns.
func ToTable(t *Table, rows int) (policy.Table, error) {
	if len(t.GetColumns()) == 0 {
		return policy.Table{}, fmt.Errorf("table: columns: %w", errMissing)
	}
	if n := len(t.GetRows()); n > rows {
		return policy.Table{}, fmt.Errorf("table: %d rows, want at most %d", n, rows)
	}
	out := policy.Table{Columns: t.GetColumns(), Note: t.GetNote()}
	for i, r := range t.GetRows() {
		if got, want := len(r.GetCells()), len(out.Columns); got != want {
			return policy.Table{}, fmt.Errorf("table: row %d: %d cells for %d columns", i, got, want)
		}
		out.Rows = append(out.Rows, r.GetCells())
	}
	return out, nil
}
