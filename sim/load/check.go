package load

import (
	"fmt"
	"math"
	"sort"
)

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func checkRate(what string, rate float64) error {
	if !finite(rate) || rate < 0 {
		return fmt.Errorf("%s is %v; want a finite number of 0 or more", what, rate)
	}
	return nil
}

func checkRates(what string, rates []float64) error {
	for i, r := range rates {
		if err := checkRate(fmt.Sprintf("%s: rate %d", what, i), r); err != nil {
			return err
		}
	}
	return nil
}

func checkTimes(what string, at []float64, n int) error {
	if len(at) == 0 || len(at) != n {
		return fmt.Errorf("%s: %d times for %d rates; want as many, and at least one", what, len(at), n)
	}
	if at[0] != 0 {
		return fmt.Errorf("%s: starts at %v seconds; want 0", what, at[0])
	}
	for i := 1; i < len(at); i++ {
		if !finite(at[i]) || !(at[i] > at[i-1]) {
			return fmt.Errorf("%s: time %d is %v after %v; want increasing times", what, i, at[i], at[i-1])
		}
	}
	return nil
}

// indexAt returns the last i with at[i] <= t, and 0 before the first.
func indexAt(at []float64, t float64) int {
	return max(0, sort.Search(len(at), func(i int) bool { return at[i] > t })-1)
}
