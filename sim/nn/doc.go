// Package nn is a small dense network: tanh layers with a linear output, float32,
// in batches, with its gradients, Adam, and an encoding.
//
// It is made for a few thousand parameters on one core, which is what steering a mesh
// takes. Nothing here allocates after its buffers were made: the caller owns them, so
// that a training loop is free of garbage. A run with the same numbers gives the same
// bits; there are no goroutines. What may not live here: anything that knows what the
// network is for.
package nn
