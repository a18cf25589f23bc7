package daemon

import "time"

// alive says that a mesh has ended a cycle just now, or starts.
func (m *mesh) alive() {
	now := time.Now()
	m.ended.Store(&now)
}

// Late returns the meshes that have had no cycle for more than two of their intervals, by
// the wall clock, since the start or the last reload: what a watchdog may not be fed with.
// A cycle that holds is a cycle: to restart helps against neither a dead Prometheus nor a
// dead API server.
func (d *Daemon) Late(now time.Time) []string {
	g := d.current.Load()
	if g == nil {
		return nil
	}
	var late []string
	for _, m := range g.meshes {
		if last := m.ended.Load(); last != nil && now.Sub(*last) > 2*m.rules.Interval {
			late = append(late, m.rules.Name)
		}
	}
	return late
}
