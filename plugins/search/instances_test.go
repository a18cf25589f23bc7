package search

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/instances.json; integration/peers/search/milp.py then adds the references")

const instancesFile = "testdata/instances.json"

// stored is the file of instances with the best that another solver knows of them.
type stored struct {
	Origin    string           `json:"origin"`
	Instances []storedInstance `json:"instances"`
}

type storedInstance struct {
	instance
	Reference reference `json:"reference"`
}

// reference is what a mixed integer program found: its own solution, and a bound that
// no solution exceeds. They are equal where it was solved to the end.
type reference struct {
	Value   float64 `json:"value"`
	Bound   float64 `json:"bound"`
	Seconds float64 `json:"seconds"`
	Solver  string  `json:"solver"`
}

// sizes are the numbers of services, reported each on seeds 1 to 5.
var sizes = []int{4, 20, 50, 100}

func readInstances(t testing.TB) stored {
	t.Helper()
	src, err := os.ReadFile(instancesFile)
	if err != nil {
		t.Fatal(err)
	}
	var s stored
	if err := json.Unmarshal(src, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The stored instances are those that generate draws: what the references are of is
// what the search is tested on.
func TestStoredInstancesAreGenerated(t *testing.T) {
	want := stored{Origin: "plugins/search, generate in analytic_test.go, seeds 1 to 5; references by integration/peers/search/milp.py"}
	for _, n := range sizes {
		for seed := uint64(1); seed <= 5; seed++ {
			want.Instances = append(want.Instances, storedInstance{instance: *generate(n, seed)})
		}
	}
	if *update {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		if err := e.Encode(want); err != nil {
			t.Fatal(err)
		}
		text := bytes.ReplaceAll(b.Bytes(), []byte(`{"seed"`), []byte("\n"+`{"seed"`)) // an instance a line
		if err := os.WriteFile(instancesFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := readInstances(t)
	for i := range got.Instances {
		got.Instances[i].Reference = reference{}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(storedInstance{})); d != "" {
		t.Errorf("stored instances are not those that are generated (-want +got):\n%s", d)
	}
}
