// Package api is the daemon's HTTP surface: health, readiness, reload, metrics and
// the JSON API under /api/v1.
//
// What lives here is the form of requests and answers. It knows the daemon through
// the functions that it is given; nothing here acts on a mesh.
package api
