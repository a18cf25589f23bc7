package verify

import (
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

const (
	// errorRate is the chance that any share of a mesh that follows is taken in one cycle
	// for one that does not. A failure takes Slack of them in a row.
	errorRate = .001
	// tolerance is what a share may differ from what is commanded beside chance: proxies
	// that restart, requests that end in another window than they began in.
	tolerance = .05
	// enough requests tell a share to a quarter, so that it may be called converged: those
	// since the last change, as long as none of their windows speaks against it.
	enough = 100
)

// Share is a share of requests, commanded and observed.
type Share struct {
	KnobID   policy.KnobID
	Low      float64 // the least and the most that was commanded while the requests came
	High     float64
	Moved    bool    // they differ by more than the tolerance
	Observed float64 // meaningless unless Known
	Requests float64 // about so many are behind Observed
	Known    bool
	Away     bool // chance and the tolerance do not explain it
}

// weigh fills in what follows from the observed share, where shares are judged in all.
func (s *Share) weigh(shares int) {
	if !s.Known {
		return
	}
	near := math.Max(s.Low-tolerance, math.Min(s.High+tolerance, s.Observed))
	s.Away = !Explains(near, s.Observed, s.Requests, errorRate/float64(shares))
}

// Explains reports whether requests that go one way with a probability may be seen to do so
// in a share of them: true but in the given chance of cases, where it is so.
//
// Each request goes one way or another by an independent draw, so that the number of those
// that go one way is binomial, and for a share s of n and a probability p the chance of one
// so far off is at most exp(-n KL(s, p)) (Chernoff). That holds for any n: few requests
// show less, and never something wrong.
func Explains(probability, share, requests, chance float64) bool {
	return !(requests*divergence(share, probability) > math.Log(2/chance)) // no requests rule nothing out
}

// divergence is that of Kullback and Leibler between two draws of 0 or 1.
func divergence(s, p float64) float64 {
	part := func(s, p float64) float64 {
		if s == 0 {
			return 0
		}
		return s * math.Log(s/p)
	}
	if s == p {
		return 0
	}
	return part(s, p) + part(1-s, 1-p)
}
