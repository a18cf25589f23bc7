package policy

// route is one way that a service's admitted requests take.
type route struct {
	service  int // position among the services
	blocking int // position of its blocking among the knobs, or -1
	weight   int // position of its weight, or -1: the only way of a service without weights
}

// Terms are the topological quantities that an Objective's Correction is linear in:
// the constant 1; for each route its admitted flow, offered (1-blocking) weight, in
// requests/s; and for each route 1 if it is used, else 0. One residual so speaks for
// every action that sends requests over the same routes, tried or not. Routes are in
// the order of their weights among the knobs, then services without weights in their
// order. Replicas have no term.
//
// Beyond MaxRoutes routes the constant is the only term.
type Terms struct {
	routes []route
}

// MaxRoutes bounds the terms of a mesh: the state of a correction grows with their square.
const MaxRoutes = 12

// usedFlow is the least share of a route that counts as using it.
const usedFlow = 1e-9

// NewTerms is for knobs and services in the order of an Observation. Weights of a
// service that is not among them are left out.
func NewTerms(knobs []Knob, services []Service) Terms {
	at, blocking := map[string]int{}, make([]int, len(services))
	for i, s := range services {
		at[s.Name], blocking[i] = i, -1
	}
	for i, k := range knobs {
		if s, ok := at[k.Service]; ok && k.Kind == Blocking {
			blocking[s] = i
		}
	}
	var t Terms
	weighted := make([]bool, len(services))
	for i, k := range knobs {
		if s, ok := at[k.Service]; ok && k.Kind == Weight {
			weighted[s] = true
			t.routes = append(t.routes, route{service: s, blocking: blocking[s], weight: i})
		}
	}
	for s, w := range weighted {
		if !w {
			t.routes = append(t.routes, route{service: s, blocking: blocking[s], weight: -1})
		}
	}
	if len(t.routes) > MaxRoutes {
		t.routes = nil
	}
	return t
}

// Len returns the number of terms.
func (t Terms) Len() int { return 1 + 2*len(t.routes) }

func (r route) share(a Action) float64 {
	share := 1.0
	if r.weight >= 0 {
		share = a[r.weight].Value
	}
	if r.blocking >= 0 {
		share *= 1 - a[r.blocking].Value
	}
	return share
}

// Fill writes the terms of an action, in the order of the knobs, at offered loads, in
// the order of the services, into x, which has Len places.
func (t Terms) Fill(x, offered []float64, a Action) {
	n := len(t.routes)
	x[0] = 1
	for i, r := range t.routes {
		share := r.share(a)
		x[1+i], x[1+n+i] = share*offered[r.service], 0
		if share > usedFlow {
			x[1+n+i] = 1
		}
	}
}

// Dot is the sum of coefficients times terms; 0 for coefficients of another number.
func (t Terms) Dot(coefficients, offered []float64, a Action) float64 {
	n := len(t.routes)
	if len(coefficients) != 1+2*n {
		return 0
	}
	sum := coefficients[0]
	for i, r := range t.routes {
		if share := r.share(a); share > usedFlow {
			sum += coefficients[1+i]*share*offered[r.service] + coefficients[1+n+i]
		}
	}
	return sum
}
