// Package model learns how a mesh answers: from settings and offered load to the
// latency that an objective is about.
//
// System, of boosted trees, is what is served. Cells, Queue and CapacityFilter are what
// it is held against (`windvane evaluate --models`), and are served nowhere. On the
// trace of examples/mo1 trees lead with configurations and with loads held out; queues
// alone explain less, and trees on what queues leave explain as much. On an emulated
// mesh queues are a little ahead. After a fault of a node the capacities of queues, as a
// factor on the trees, tell more of untried actions than a correction over the routes
// does where the live actions vary, and less where one action is held: from one action
// alone it cannot be told which queue has changed.
//
// What lives here is fitting and prediction on plain columns. Datasets come from
// sim/dataset; what to do with a prediction is the business of policies.
package model
