package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

// ErrNoQueues is what FitQueue says of a mesh that is beyond it.
var ErrNoQueues = errors.New("a model of queues has no place")

// queueLaw says how latencies follow from settings and loads:
//
//	admitted of a service  a = (1-blocking) softmin(offered, entry)
//	utilisation of a queue u = sum over its routes of work x a x weight, over its capacity
//	wait                   W = u^order / (1-u), straight on beyond u = .95 (Sakasegawa 1977, with a free order)
//	latency of a route     t = base (1 + slope W(its queue) + common W(the shared queue))
//	latency of a service   (mean of t^mix, weighted by weight^spread)^(1/mix), at most ceiling, smoothly
//
// A service's signal is a quantile or a maximum over its routes: mix and spread say
// which. All parameters are positive; the fit has their logarithms.
type queueLaw struct {
	settings, services int
	blocking           []int // by service: its blocking's position, or -1
	routes             []queueRoute
	parts              []string
	size               int // number of parameters
}

// queueRoute is one way of a service's requests.
type queueRoute struct {
	service, part int
	weight        int // position in the settings; -1: the only way
}

// Places of the parameters: three for each route, then one for each queue, then six
// for each service.
const (
	ofRoute   = 3 // base, slope, work
	ofService = 6 // common, shared work, mix, spread, ceiling, entry
)

func newQueueLaw(knobs []policy.Knob, services []string) (queueLaw, error) {
	f, err := newFeatures(knobs, services)
	if err != nil {
		return queueLaw{}, err
	}
	l := queueLaw{settings: len(knobs), services: len(services), blocking: f.blocking, parts: f.parts}
	routed := make([]bool, len(services))
	for _, fl := range f.flows {
		l.routes = append(l.routes, queueRoute{fl.service, fl.part, fl.weight})
		routed[fl.service] = true
	}
	for s, ok := range routed {
		if !ok {
			l.routes = append(l.routes, queueRoute{s, len(l.parts), -1})
			l.parts = append(l.parts, services[s])
		}
	}
	for _, k := range knobs {
		if k.Kind == policy.Replicas {
			return l, fmt.Errorf("model: knob %s: %w for replicas; use trees", k.KnobID, ErrNoQueues)
		}
	}
	if len(l.parts) >= maxQueues || l.services > maxQueues {
		return l, fmt.Errorf("model: %d queues of %d services: %w for so many; use trees", len(l.parts), l.services, ErrNoQueues)
	}
	l.size = ofRoute*len(l.routes) + len(l.parts) + 1 + ofService*l.services
	return l, nil
}

func (l *queueLaw) orderAt(queue int) int     { return ofRoute*len(l.routes) + queue }
func (l *queueLaw) serviceAt(service int) int { return l.orderAt(len(l.parts)) + 1 + ofService*service }

// maxQueues bounds the queues and services of a law, so that it needs no buffers.
const maxQueues = 64

// latency writes the logarithm of each service's latency into out. Values are those of
// the parameters, capacity is by queue.
func (l *queueLaw) latency(out, values, capacity, settings, offered []float64) {
	var admitted, used [maxQueues]float64
	shared := len(l.parts)
	for s := range l.services {
		p := values[l.serviceAt(s):]
		a := softmin(offered[s], p[5])
		if b := l.blocking[s]; b >= 0 {
			a *= 1 - settings[b]
		}
		admitted[s] = a
		used[shared] += p[1] * a
	}
	for i, r := range l.routes {
		used[r.part] += values[ofRoute*i+2] * admitted[r.service] * r.share(settings)
	}
	for q := range shared + 1 {
		used[q] = wait(used[q]/capacity[q], values[l.orderAt(q)])
	}
	var sum, weights [maxQueues]float64
	for i, r := range l.routes {
		w := r.share(settings)
		if w <= 0 {
			continue
		}
		p, of := values[ofRoute*i:], values[l.serviceAt(r.service):]
		t := p[0] * (1 + p[1]*used[r.part] + of[0]*used[shared])
		w = math.Pow(w, of[3])
		weights[r.service] += w
		sum[r.service] += w * math.Pow(t, of[2])
	}
	for s := range l.services {
		of := values[l.serviceAt(s):]
		if weights[s] == 0 {
			out[s] = math.NaN()
			continue
		}
		t := math.Log(sum[s]/weights[s]) / of[2]
		out[s] = t - math.Log1p(math.Exp(ceilingSharpness*(t-math.Log(of[4]))))/ceilingSharpness
	}
}

const ceilingSharpness = 8

func (r queueRoute) share(settings []float64) float64 {
	if r.weight < 0 {
		return 1
	}
	return settings[r.weight]
}

// softmin is about the less of two positive numbers.
func softmin(a, b float64) float64 {
	if a <= 0 {
		return 0
	}
	x := a / b
	x *= x
	return a / math.Sqrt(math.Sqrt(1+x*x))
}

// wait is the time in queue in units of the service time.
func wait(u, order float64) float64 {
	const knee = .95
	if u <= 0 {
		return 0
	}
	if u <= knee {
		return math.Pow(u, order) / (1 - u)
	}
	at := math.Pow(knee, order) / (1 - knee)
	return at * (1 + (u-knee)*(order/knee+1/(1-knee)))
}
