// Package promotion holds a shadow policy against the active one, and says whether it has shown
// enough to take its place: the gate.
//
// A shadow is never in force, so that most of what it would have done is known from predictions
// alone. They are judged by both policies' models, each weighed by how well it predicted what
// was measured since, and chances of a violation come from those very errors, not from what
// a model says of itself. A model that is wrong where it is measured has little weight; one that
// flatters its own plans is held against the other's.
//
// Evidence gathers in blocks of BlockCycles cycles, which the journal keeps (journal.Trial), so
// that it goes on after a restart. Confidence bounds hold at all times at once, however often one
// looks, and follow from how many independent blocks the blocks are worth.
//
// What is done about it, and who may say so, is the daemon's business.
package promotion
