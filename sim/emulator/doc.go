// Package emulator is an independent queueing mesh to try controllers on: an
// event-driven simulation of services whose requests share a directed graph of
// nodes, in virtual time.
//
// It is not derived from any model that windvane fits, so that a controller that
// does well here has not been flattered. Each node has one first-come
// first-served queue and a number of servers; requests arrive open loop as a
// non-homogeneous Poisson process and visit nodes one after another, or several at the
// same time; a request that takes longer than its service's timeout is answered 504 at
// that moment and leaves the queue, so overload does not pile up for ever. Nodes lose
// servers by faults and bursts, and stall in pauses; callers may send a failed request
// again.
//
// Everything random is a function of the seed, the service and the number of the
// request (counter-based), never of what happened before: the n-th request has
// the same arrival, the same work and the same luck whatever a controller does.
// Two settings are thus compared on the same requests, and the same seed gives
// the same totals, bit for bit.
//
// What lives here: the graph, the events, the totals and Istio's counters. What
// may not: the clock, global randomness, the network (package testbed puts
// interfaces in front of it), and anything fitted.
package emulator
