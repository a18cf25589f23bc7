// Package daemon wires the autopilot: configuration, clients, plugins, journal,
// loops and the HTTP server. It is an embeddable New, Start, Reload, Stop; package
// main parses flags and signals and does the rest by calling these.
//
// What lives here is wiring only: which part is given what, and in which order
// parts start and end. What a cycle does is in loop, what limits it in rules/guard.
package daemon
