// Package testbed puts the emulator behind the interfaces of a real mesh, on
// loopback: the query API of Prometheus, with recording rules, and the part of
// the Kubernetes API that windvane uses. A daemon that runs against it uses the
// clients, the queries and the patches that it uses in production.
//
// Time is virtual and in lock-step: nothing happens until Advance, which runs the
// emulator, scrapes it and evaluates the rules. Changes made through the
// Kubernetes API take effect in the emulator from the present virtual time on.
//
// What lives here: the sample store, the HTTP handlers, the objects and their
// translation into settings. It is the only part of sim that listens. What may
// not: control, and Prometheus' own storage, configuration and web packages.
package testbed
