package rules

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each reward has its own keys; the others are unknown to it (testdata/bad/reward-*).
func TestRewards(t *testing.T) {
	src, err := os.ReadFile("testdata/good/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(src), "[reward]")
	const logistic = "steepness = 200.0\ntheta = {information = \"50ms\", storage = \"113ms\"}\n"
	theta := map[string]float64{"information": .05, "storage": .113}
	for table, want := range map[string]*Reward{
		"name = \"mo1\"\n" + logistic:                      {Name: RewardMO1, Steepness: 200, Theta: theta},
		"name = \"mo2\"\n" + logistic:                      {Name: RewardMO2, Steepness: 200, Theta: theta},
		"name = \"mo3\"\nblocking_cost = 0.5\n" + logistic: {Name: RewardMO3, Steepness: 200, Theta: theta, BlockingCost: .5},
		"name = \"scaling\"\nmet = 6.0\n":                  {Name: RewardScaling, Met: 6},
	} {
		m, err := Parse("full.toml", []byte(before+"[reward]\n"+table))
		if err != nil {
			t.Errorf("%s: %v", table, err)
			continue
		}
		if d := cmp.Diff(want, m.Reward); d != "" {
			t.Errorf("%s (-want +got):\n%s", table, d)
		}
	}
}
