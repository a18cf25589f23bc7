package emulator

import "math"

// What a number is drawn for. Works count from purposeWork by the position in
// the path, so that a request meets the same luck on either route.
const (
	purposeGap uint64 = iota + 1
	purposeAccept
	purposeBlock
	purposeRoute
	purposeWork
)

// Purposes beyond those of any path.
const (
	purposeBackoff uint64 = 1<<32 + iota
	purposeAttempt
)

// Purposes of what happens to a node.
const (
	purposePause uint64 = iota + 1
	purposeBurst
)

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection
// whose outputs of consecutive inputs pass for independent.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const golden = 0x9e3779b97f4a7c15

// serviceKey is the root of all numbers of a service.
func serviceKey(seed uint64, service int) uint64 {
	return mix(mix(seed+golden) + uint64(service+1)*golden)
}

// requestKey is the root of all numbers of a service's n-th request.
func requestKey(service, n uint64) uint64 { return mix(service + (n+1)*golden) }

// nextAttempt is the root of all numbers of the request that follows a failed one.
func nextAttempt(request uint64) uint64 { return draw(request, purposeAttempt) }

// nodeKey is the root of the numbers of what happens to a node, for one purpose.
func nodeKey(seed uint64, node int, purpose uint64) uint64 {
	return draw(mix(mix(seed+golden)-uint64(node+1)*golden), purpose)
}

// exponential returns the n-th number of a key from an exponential distribution.
func exponential(key, n uint64, mean float64) float64 { return -math.Log(uniform(key, n)) * mean }

// uniform returns the request's number for a purpose, in the open interval (0,1).
func uniform(request, purpose uint64) float64 {
	return (float64(draw(request, purpose)>>11) + .5) * 0x1p-53
}

// draw returns the bits of a key for a purpose.
func draw(key, purpose uint64) uint64 { return mix(key + purpose*golden) }

// sampler draws work from uniform numbers.
type sampler struct {
	shape     Shape
	mean      float64
	mu, sigma float64 // of the logarithm, lognormal
}

func newSampler(d Dist) sampler {
	s := sampler{shape: d.Shape, mean: d.MeanSeconds}
	if d.Shape == Lognormal {
		v := math.Log1p(d.CV * d.CV)
		s.mu, s.sigma = math.Log(d.MeanSeconds)-v/2, math.Sqrt(v)
	}
	return s
}

func (s *sampler) draw(u float64) float64 {
	switch s.shape {
	case Exponential:
		return -math.Log(u) * s.mean
	case Lognormal:
		return math.Exp(s.mu + s.sigma*math.Sqrt2*math.Erfinv(2*u-1))
	default:
		return s.mean
	}
}
