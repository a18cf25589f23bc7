// Package lifecycle turns what the daemon has recorded into what policies are
// trained on.
//
// It reads journals, outside of the control loop. What a dataset is, and what is
// learned from one, is in sim/dataset, sim/model and sim/train.
package lifecycle
