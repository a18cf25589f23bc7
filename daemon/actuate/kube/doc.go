// Package kube sets the replicas of Deployments through their scale subresource.
//
// It reads the scale as raw JSON, changes spec.replicas and puts it back with the
// resourceVersion that it read, so that a change by somebody else in between is a
// conflict and not lost.
//
// What lives here is reading and writing replicas. How many there should be, and whether
// they may be written, is decided elsewhere; a Deployment that was not configured is
// never written.
package kube
