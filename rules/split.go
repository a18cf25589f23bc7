package rules

// SignalSplit is the optional signal that says where the admitted requests of a service go:
// a series for each destination, told apart by SplitLabel, with its share of them. Whether
// the mesh follows the weights that it is given is verified from it.
const SignalSplit = "split"

// SignalBlocked is the name of a signal that is the share of a service's offered requests
// that is refused by blocking. From it settings are told of a time that the journal does not
// cover.
const SignalBlocked = "blocked"

// SplitLabel is the label of SignalSplit that names the destination, as the route does.
const SplitLabel = "version"

// SplitSignal is the name of the signal in the state that is the share of one destination.
func SplitSignal(destination string) string { return SignalSplit + "/" + destination }

// SplitRoute returns the route whose weights the split of the service shows: its only one.
// Where it has several, the split is a mixture of theirs.
func (s Service) SplitRoute() (Route, bool) {
	if len(s.Routes) != 1 {
		return Route{}, false
	}
	return s.Routes[0], true
}

// Splits returns the destinations whose shares are to be measured, by service.
func (m *Mesh) Splits() map[string][]string {
	out := map[string][]string{}
	for _, s := range m.Services {
		if r, ok := s.SplitRoute(); ok {
			out[s.Name] = r.Destinations
		}
	}
	return out
}

// warnSplit says that weights are set on trust.
func (m *Mesh) warnSplit(add func(key, message, hint string)) {
	routed := false
	for _, s := range m.Services {
		_, declared := m.queryFor(s, SignalSplit)
		if _, ok := s.SplitRoute(); ok && declared {
			return
		} else if ok {
			routed = true
		}
	}
	if routed && m.Guard.Authority == AuthorityAct {
		add("signals", "has no signal split, so that nobody sees whether requests follow the weights",
			"add split = 'windvane:split:ratio', of the recording rules")
	}
}

// checkSplits reports a query of SignalSplit that cannot tell the destinations apart.
func (r *reader) checkSplits() {
	for _, q := range r.mesh.Queries() {
		if q.Name == SignalSplit && q.parsed != nil && drops(q.parsed, SplitLabel) {
			r.express(q.key, "the result has no label \""+SplitLabel+"\", by which destinations are told apart",
				"aggregate with it as well, or make it with label_replace")
		}
	}
}
