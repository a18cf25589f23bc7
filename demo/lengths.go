package demo

import (
	"fmt"
	"time"
)

// DefaultDuration is the virtual time of part 3.
func DefaultDuration() time.Duration { return time.Duration(DefaultLengths.Act) * Interval }

// LengthsFor returns the lengths of a demo whose part 3 takes the given virtual time.
func LengthsFor(act time.Duration) (Lengths, error) {
	n := int(act / Interval)
	if n < 3 {
		return Lengths{}, fmt.Errorf("demo: part 3 of %s; want at least %s, an interval for each of its phases", act, 3*Interval)
	}
	return Lengths{Act: n}, nil
}
