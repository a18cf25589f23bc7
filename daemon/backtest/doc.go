// Package backtest says what a policy would have done with a mesh's history: the daemon's own
// loop - its policies, guard, limits and control state - goes through the recorded intervals,
// in an imagined mesh whose settings are the policy's.
//
// What the mesh would have answered to settings that were not in force, nobody has measured. A
// model says it, fitted on a part of the history before the one that is judged, with errors as
// that model made on intervals that it had not seen. A policy that needs a model of its own
// gets one of yet another part, so that it does not plan on what it is judged by: an optimum
// over a model looks better in that model than it is.
//
// How sure that is, further imagined meshes tell: each has a model of a random half of the same
// intervals, and errors drawn in blocks from the same. What history cannot tell has no figure.
package backtest
