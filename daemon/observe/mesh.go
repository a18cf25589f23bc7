package observe

import "github.com/windvane/windvane/rules"

// ForMesh returns the options that a mesh's rules ask for. API, Offset and Timeout are
// the caller's.
func ForMesh(m *rules.Mesh) Options {
	o := Options{
		By: m.Signals.By,
		// A rule may be evaluated just before the scrape that it should have seen.
		Freshness: 2 * m.Interval,
	}
	for _, s := range m.Services {
		o.Services = append(o.Services, s.Name)
	}
	for _, q := range m.Queries() {
		query := Query{Name: q.Name, Service: q.Service, Role: q.Role, Expr: q.Expr, Selectors: q.Selectors()}
		if q.Name == rules.SignalSplit {
			query.Parts, query.PartLabel = m.Splits(), rules.SplitLabel
		}
		o.Queries = append(o.Queries, query)
	}
	return o
}
