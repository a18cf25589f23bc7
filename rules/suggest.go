package rules

import (
	"fmt"
	"strings"
)

// Suggest returns a hint that names the known word nearest to what was written,
// or all known words if none is near and they are few; empty if there are none.
func Suggest(written string, known []string) string {
	best, distance := "", 1+max(1, (len(written)+1)/3)
	for _, k := range known {
		if strings.ToLower(written) == k {
			return fmt.Sprintf("keys are lower case: write %q", k)
		}
		if d := editDistance(strings.ToLower(written), k); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) > 0 && len(known) <= 8:
		return "known: " + strings.Join(known, ", ")
	}
	return ""
}

// editDistance is the number of bytes to insert, delete, replace or swap with the next.
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := row[j]
			if a[i] != b[j] {
				cost++
			}
			next[j+1] = min(cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
