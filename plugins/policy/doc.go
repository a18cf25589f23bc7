// Package policy is the contract between windvane and its policies.
//
// A policy is given one Observation and answers with one Decision. It keeps
// nothing between calls: everything that has to survive (debt, margin,
// residual, correction, price) belongs to the host, which hands it in with each
// Observation, so that a restart, a promotion or a change of leader loses
// nothing.
//
// The package is a leaf: standard library only, no import of anything else of
// windvane. What lives here is what crosses the boundary (signals, knobs,
// actions, observations, decisions) and the arithmetic on them that both sides
// must agree on (ordering, equality, the grid of a set of knobs). Limits are in
// rules/guard, margins in rules/margin.
package policy
