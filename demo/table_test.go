package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	got := Table([]Row{
		{Phase: "burst", Controller: "none", Service: "a", ViolatedRatio: .255, CarriedRatio: 1, Offered: 10, Carried: 10},
		{Phase: "burst", Controller: "none", Service: "b", ViolatedRatio: 0, CarriedRatio: .5, BlockedRatio: .5, Offered: 30, Carried: 15, Blocked: 15, Actions: 3},
		{Phase: "all", Controller: "none", Service: "a", Offered: 1, Carried: 1, CarriedRatio: 1},
		{Phase: "all", Controller: "none", Service: "b"},
	})
	want := `   phase  controller  broken a  broken b  carried a  carried b  blocked  actions  carried in all
   burst  none        25.5 %    0.0 %     100.0 %    50.0 %     37.5 %   3        62.5 %

   all    none        0.0 %     0.0 %     100.0 %    0.0 %      0.0 %    0        100.0 %
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Table(nil); got != "" {
		t.Errorf("without rows: %q", got)
	}
}
