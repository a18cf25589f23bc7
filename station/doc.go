// Package station runs the daemon as it is shipped on an emulated mesh, in lock-step:
// virtual time passes only when the daemon has completed its cycle and is allowed another
// one. The Prometheus client, the actuators, the journal, the guard and the plugin
// processes are the real ones; the mesh is sim/testbed's, and the same requests come with
// the same seed whatever the daemon does.
//
// The demo shows stations, and an Evaluation judges the daemon in one by the figures of
// sim/eval. What may not live here: a way to control the mesh past the daemon.
package station
