// Package demo is what `windvane demo` shows: an emulated mesh whose objectives are
// broken under load, the exploration that a model is fitted on, and the settings
// that a policy has to beat.
//
// The orchestration of `windvane demo` lives here: which parts follow each other,
// which controllers run side by side, and the table at the end. What may not: code
// that only the demo would exercise where the daemon has its own. The mesh is
// controlled by the daemon as it is shipped; here is only what surrounds it.
package demo
