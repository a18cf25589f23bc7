// Package model learns how a mesh answers: from settings and offered load to the
// latency that an objective is about.
//
// What lives here is fitting and prediction on plain columns. Datasets come from
// sim/dataset; what to do with a prediction is the business of policies.
package model
