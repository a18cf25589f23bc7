// Package istio sets routing weights and blocking in Istio VirtualServices.
//
// A VirtualService's spec.http is one list with many owners, so windvane writes
// none of it whole, unless it is a delegate of windvane's own: that list is applied, by
// server-side apply, from the object as it was read; the rest of it, metadata and all, stays
// that of its other managers. Of any other it reads the object as raw JSON and sends one
// JSON Patch that tests the resourceVersion, the route's name and its destinations, then
// sets the weights (whole percents, summing to 100) and fault.abort (percentage and status
// together); whatever else is there stays. Prepare has the API server try that in a dry run,
// and refuses an object that a controller owns.
//
// What was found before the first write is the object's baseline. Prepare returns it, so
// that it can be recorded, and the first write leaves it in the annotation
// windvane.io/baseline. It is never taken anew while one of the two is there. Release puts
// exactly that back.
//
// What lives here is reading and writing these fields. Which values they should have,
// and whether they may be written, is decided elsewhere; a knob that was not configured
// is never written.
package istio
