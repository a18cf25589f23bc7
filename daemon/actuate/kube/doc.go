// Package kube sets the replicas of Deployments through their scale subresource.
//
// It reads the scale as raw JSON, changes spec.replicas and puts it back with the
// resourceVersion that it read, so that a change by somebody else in between is a
// conflict and not lost. Prepare has the API server try that in a dry run, and refuses a
// Deployment that a controller owns, or that an autoscaler or KEDA scales. Of the
// Deployment itself only the annotation windvane.io/baseline is written: how many replicas
// there were before the first write. Release puts that back.
//
// What lives here is reading and writing replicas. How many there should be, and whether
// they may be written, is decided elsewhere; a Deployment that was not configured is
// never written.
package kube
