// Package eval judges policies: on a model that was fitted to data (Evaluate), on truths
// of somebody else's (Replay), and on an emulated mesh (ClosedLoop, Emulator).
//
// What lives here is judging alone: it trains nothing that is served, and draws every
// random number from a seed that it is given. Fitting and enumerating are sim/train's.
package eval
