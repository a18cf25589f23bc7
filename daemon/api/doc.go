// Package api is the daemon's HTTP surface: health, readiness, reload, metrics and
// the JSON API under /api/v1, on an address and on a socket. docs/api.md lists it.
//
// What lives here is the form of requests and answers, and who may ask for what: whoever
// reaches it reads; the socket's group, users and owners of certificates act; web pages from
// elsewhere do neither. It knows the daemon through the functions that it is given, and
// reads decisions from the journal's files; nothing here acts on a mesh.
package api
