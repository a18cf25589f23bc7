package emulator

import (
	"fmt"
	"math"
	"slices"
)

// DefaultSettleSeconds is how long settings take to come into force, unless Options say otherwise.
const DefaultSettleSeconds = .5

// Options describe an emulator.
type Options struct {
	Graph         Graph
	Seed          uint64
	SettleSeconds float64  // from Apply to the effect; 0: DefaultSettleSeconds
	Initial       Settings // in force at time 0; nil slices: equal weights, no blocking, the graph's replicas
}

// Totals counts the requests of a service over a period. Offered, Retries and Blocked
// count at arrival, the others when the answer is given. What is Offered is Blocked,
// Answered, or InFlight; without its Retries, it is Carried, GivenUp, InFlight, or
// Waiting.
type Totals struct {
	Offered  int // arrived, whatever became of it
	Retries  int // of them, those sent after one that failed
	Blocked  int // refused at once, 429
	Answered int // admitted and answered: Carried + TimedOut
	Carried  int // answered 200
	TimedOut int // answered 504
	GivenUp  int // refused or timed out, and not sent again
	Slow     int // answered later than the service's bound
	InFlight int // admitted and not answered at the end of the period
	Waiting  int // failed, and to be sent again after the end of the period

	LatencySeconds float64 // sum over Answered
}

// Emulator is a mesh in virtual time. It is not safe for concurrent use;
// several emulators are independent of each other.
type Emulator struct {
	graph  Graph
	settle float64
	now    float64

	events   heap
	pending  []Settings // indexed by settings events
	waiting  int        // those not yet in force
	nodes    []node
	services []service
	requests []request
	free     []int32 // unused requests
	visits   [][][]visit
	metrics  metrics
}

type node struct {
	name        string
	concurrency int
	replicas    int
	servers     int
	busy        int // above servers for a while after a decrease
	work        sampler

	queueHead, queueTail int32 // first come, first served; -1: empty

	pauses, bursts spells
	stalled        float64 // seconds of all pauses so far, those of the present one included
	until          float64 // end of the last pause
}

// visit is a stop of a path; one with a fork has no node.
type visit struct {
	node int32
	draw uint64 // purpose of its work
	work float64
	fork []visit
}

type service struct {
	key     uint64
	load    interface{ Rate(t float64) float64 }
	maxRate float64
	timeout float64
	bound   float64
	retries Retries

	cumulative []float64 // weights, summed up
	blocking   float64

	candidate uint64  // number of the next arrival in the envelope process
	arrival   float64 // its time
	admit     bool    // false: thinned away

	oldest, newest int32 // requests not answered, in order of arrival; -1: none
	armed          bool  // a timeout event is on its way

	totals Totals
}

// request is an admitted request, one branch of a request's fork, or a request that
// will be sent again. The links make three lists: of its node's queue, of its
// service's unanswered requests, and of its branches.
type request struct {
	key          uint64
	arrival      float64
	stalled      float64 // its node's, as far as the end of its work takes it into account
	service      int32
	destination  int32
	visit        int32 // position in the path
	attempt      int32 // 0: the first
	queued       bool  // waits; otherwise it is being served, or its branches are
	answered     bool  // timed out in service: it only finishes its work
	prev, next   int32 // in the queue
	older, newer int32 // unanswered

	parent, branch int32 // whose branch it is, and which; parent -1: none
	open           int32 // branches that are not over
	first, sibling int32 // branches; -1: none, no more
}

// New builds an emulator at time 0. The error lists all that is wrong with the options.
func New(o Options) (*Emulator, error) {
	if err := o.Graph.Validate(); err != nil {
		return nil, fmt.Errorf("emulator graph: %w", err)
	}
	if !finite(o.SettleSeconds) || o.SettleSeconds < 0 {
		return nil, fmt.Errorf("emulator: settings settle in %v seconds; want a number of 0 or more", o.SettleSeconds)
	}
	if err := o.Initial.validate(o.Graph); err != nil {
		return nil, fmt.Errorf("emulator: initial %w", err)
	}
	if o.SettleSeconds == 0 {
		o.SettleSeconds = DefaultSettleSeconds
	}
	e := &Emulator{graph: o.Graph, settle: o.SettleSeconds, metrics: newMetrics(o.Graph)}
	e.buildNodes(o.Seed)
	e.buildServices(o.Seed)
	e.enforce(o.Initial)
	for i := range e.services {
		e.nextArrival(i)
	}
	return e, nil
}

func (e *Emulator) buildNodes(seed uint64) {
	for i, n := range e.graph.Nodes {
		e.nodes = append(e.nodes, node{
			name: n.Name, concurrency: n.Concurrency, replicas: n.Replicas, work: newSampler(n.Work),
			queueHead: -1, queueTail: -1,
			pauses: spells{key: nodeKey(seed, i, purposePause), every: n.Pauses.EverySeconds, mean: n.Pauses.MeanSeconds, factor: 1},
			bursts: spells{key: nodeKey(seed, i, purposeBurst), every: n.Bursts.EverySeconds, mean: n.Bursts.MeanSeconds, factor: n.Bursts.Factor},
		})
		e.interrupt(i)
	}
	for i := range e.nodes {
		e.resize(i)
	}
	for _, f := range e.graph.Faults {
		i := e.nodeIndex(f.Node)
		e.events.push(event{at: f.From, code: code(kindFault, i)})
		if !math.IsInf(f.To, 1) {
			e.events.push(event{at: f.To, code: code(kindFault, i)})
		}
	}
}

func (e *Emulator) buildServices(seed uint64) {
	for i, s := range e.graph.Services {
		n := len(s.Destinations)
		service := service{
			key: serviceKey(seed, i), load: s.Load, maxRate: s.Load.Max(), timeout: s.TimeoutSeconds, bound: s.BoundSeconds, retries: s.Retries,
			cumulative: make([]float64, n), oldest: -1, newest: -1,
		}
		paths := make([][]visit, n)
		for j, d := range s.Destinations {
			service.cumulative[j] = float64(j+1) / float64(n)
			paths[j], _ = e.buildVisits(d.Path, purposeWork)
		}
		e.services = append(e.services, service)
		e.visits = append(e.visits, paths)
	}
}

// buildVisits numbers the draws of work along a path, so that a request meets the same
// luck on any route.
func (e *Emulator) buildVisits(path []Visit, draw uint64) ([]visit, uint64) {
	out := make([]visit, len(path))
	for i, v := range path {
		if len(v.Fork) > 0 {
			out[i].fork, draw = e.buildVisits(v.Fork, draw)
			continue
		}
		out[i] = visit{node: int32(e.nodeIndex(v.Node)), draw: draw, work: v.Work}
		draw++
	}
	return out, draw
}

func (e *Emulator) nodeIndex(name string) int {
	return slices.IndexFunc(e.graph.Nodes, func(n Node) bool { return n.Name == name })
}

// Now returns the virtual time, in seconds since the start.
func (e *Emulator) Now() float64 { return e.now }

// Advance runs all events up to and including the time to, in seconds since the
// start. A time in the past changes nothing.
func (e *Emulator) Advance(to float64) {
	for len(e.events) > 0 && e.events[0].at <= to {
		ev := e.events.pop()
		e.now = ev.at
		i := int(uint32(ev.code))
		switch ev.code >> 32 {
		case kindSettings:
			e.settled(i)
		case kindFault:
			e.resize(i)
		case kindBurst:
			e.burst(i)
		case kindPause:
			e.pause(i)
		case kindFinish:
			e.finish(int32(i))
		case kindTimeout:
			e.expire(i)
		case kindRetry:
			e.retry(int32(i))
		case kindArrival:
			e.arrive(i)
		}
	}
	if to > e.now {
		e.now = to
	}
}

// Take returns the totals since the last call, per service in the order of the graph.
func (e *Emulator) Take() []Totals {
	out := make([]Totals, len(e.services))
	for i := range e.services {
		s := &e.services[i]
		out[i] = s.totals
		s.totals = Totals{InFlight: s.totals.InFlight, Waiting: s.totals.Waiting}
	}
	return out
}
