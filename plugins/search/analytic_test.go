package search

import (
	"math"
	"math/rand/v2"
)

// instance is a mesh of nodes that services share, as the analytic model knows it.
// A service sends what it admits to two nodes, by weight; a node's delay grows with
// its utilisation, and a service's latency is that of the slowest node it uses.
type instance struct {
	Seed     uint64    `json:"seed"`
	Capacity []float64 `json:"capacity"` // by node: work/s
	Delay    []float64 `json:"delay"`    // by node: seconds when idle
	Services []source  `json:"services"`
}

type source struct {
	Rate  float64 `json:"rate"`  // offered, requests/s
	Work  float64 `json:"work"`  // of a node, for each request
	Value float64 `json:"value"` // of a carried request
	Bound float64 `json:"bound"` // seconds
	Nodes [2]int  `json:"nodes"`
}

// levels are the values of a weight, and of blocking: 5 levels of blocking with 6 of
// weights, and all blocked, where weights do not matter: 31 settings a service.
const levels = 6

// setting is one of a service's 31.
func setting(k int) (blocking, weight float64) {
	if k == levels*(levels-1) {
		return 1, 0
	}
	return float64(k/levels) / (levels - 1), float64(k%levels) / (levels - 1)
}

const settings = levels*(levels-1) + 1

// generate draws n services over .6n nodes, offered 1.2 times what the nodes can do.
func generate(n int, seed uint64) *instance {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	between := func(low, high float64) float64 {
		return math.Round((low+(high-low)*rng.Float64())*1e4) / 1e4 // short in a file
	}
	nodes := max(2, int(math.Round(.6*float64(n))))
	in := &instance{Seed: seed}
	total, share := 0.0, 0.0
	for range nodes {
		in.Capacity = append(in.Capacity, between(.7, 1.3))
		share += in.Capacity[len(in.Capacity)-1]
		in.Delay = append(in.Delay, between(.005, .02))
	}
	for range n {
		s := source{Rate: between(5, 20), Work: between(.5, 2), Value: between(.5, 2), Bound: between(.06, .2)}
		s.Nodes[0] = rng.IntN(nodes)
		s.Nodes[1] = (s.Nodes[0] + 1 + rng.IntN(nodes-1)) % nodes
		total += s.Rate * s.Work
		in.Services = append(in.Services, s)
	}
	for m := range in.Capacity {
		in.Capacity[m] = math.Round(in.Capacity[m]/share*total/1.2*1e4) / 1e4
	}
	return in
}

// delay is a node's: that of a queue, and beyond .999 of the capacity a steep line.
func (in *instance) delay(node int, load float64) float64 {
	u := load / in.Capacity[node]
	if u > .999 {
		return in.Delay[node] * (1000 + 1e6*(u-.999))
	}
	return in.Delay[node] / (1 - u)
}

// problem is the instance with every service at the setting that start names (nil:
// all blocked).
func (in *instance) problem(start []int) *Problem {
	p := &Problem{Services: len(in.Services), MostBlocked: math.Inf(1)}
	for i, s := range in.Services {
		part := Part{Rest: settings - 1, Start: settings - 1, Service: i, Work: s.Rate * s.Work}
		if start != nil {
			part.Start = start[i]
		}
		for k := range settings {
			b, _ := setting(k)
			part.Choices = append(part.Choices, Choice{Value: s.Value * s.Rate * (1 - b), Blocked: s.Rate * b})
		}
		p.Parts = append(p.Parts, part)
	}
	p.Evaluator = newAnalytic(in, p.Parts)
	return p
}

// analytic evaluates an instance one change at a time: a change touches two nodes,
// and the services on them.
type analytic struct {
	in     *instance
	flow   [][settings][2]float64 // by service and setting: work/s for each of its nodes
	choice []int
	load   []float64 // by node
	delay  []float64
	users  [][]int32 // by service: those that share a node with it, itself first
	undo   struct {
		service, choice int
		load, delay     [2]float64
	}
}

func newAnalytic(in *instance, parts []Part) *analytic {
	a := &analytic{
		in: in, flow: make([][settings][2]float64, len(parts)), choice: make([]int, len(parts)),
		load: make([]float64, len(in.Capacity)), delay: make([]float64, len(in.Capacity)), users: make([][]int32, len(parts)),
	}
	for i, s := range in.Services {
		a.choice[i] = parts[i].Start
		for k := range settings {
			b, w := setting(k)
			a.flow[i][k] = [2]float64{s.Rate * s.Work * (1 - b) * w, s.Rate * s.Work * (1 - b) * (1 - w)}
		}
		for d, m := range s.Nodes {
			a.load[m] += a.flow[i][a.choice[i]][d]
		}
		a.users[i] = []int32{int32(i)}
		for j, other := range in.Services {
			for _, m := range other.Nodes {
				if j != i && (m == s.Nodes[0] || m == s.Nodes[1]) {
					a.users[i] = append(a.users[i], int32(j))
					break
				}
			}
		}
	}
	for m := range a.load {
		a.delay[m] = in.delay(m, a.load[m])
	}
	return a
}

func (a *analytic) Set(part, choice int) []int32 {
	u := &a.undo
	u.service, u.choice = part, a.choice[part]
	for d, m := range &a.in.Services[part].Nodes {
		u.load[d], u.delay[d] = a.load[m], a.delay[m]
		if change := a.flow[part][choice][d] - a.flow[part][u.choice][d]; change != 0 {
			a.load[m] += change
			a.delay[m] = a.in.delay(m, a.load[m])
		}
	}
	a.choice[part] = choice
	return a.users[part]
}

func (a *analytic) Undo() {
	u := &a.undo
	for d, m := range &a.in.Services[u.service].Nodes {
		a.load[m], a.delay[m] = u.load[d], u.delay[d]
	}
	a.choice[u.service] = u.choice
}

func (a *analytic) Ratio(service int) float64 {
	s, worst := &a.in.Services[service], 0.0
	flow := &a.flow[service][a.choice[service]]
	for d, m := range &s.Nodes {
		if flow[d] > 0 {
			worst = math.Max(worst, a.delay[m])
		}
	}
	return worst / s.Bound
}
