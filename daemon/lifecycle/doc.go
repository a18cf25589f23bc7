// Package lifecycle turns what a mesh has been through into what policies are trained on:
// a dataset of the intervals of the daemon's journal, of Prometheus' history, or of both,
// with a report of what was left out and why.
//
// It runs outside of the control loop. An interval is a row if it is known what was in force
// in it, and what was measured is of that alone: nothing is guessed. What a dataset is, and
// what is learned from one, is in sim/dataset, sim/model and sim/train.
package lifecycle
