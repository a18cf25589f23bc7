// Package lease lets one of several daemons act: the one that holds a Lease of the cluster.
//
// Election is client-go's, which by its own word does not keep a deposed leader from acting.
// What does is the fence: a transport below every client that writes, which lets a write
// begin only while the lease is certainly held, and ends those under way before another can
// hold it. A daemon that was deposed, or stood still for a while, writes nothing more,
// whatever it still believes, and nothing above has to ask. What is left is a process that
// stands still between the fence and the socket, a few instructions: what it sends when it
// wakes is held against the version of the object that it has read, and refused where
// another has written since.
//
// What the next holder has to know of the last one is in a ConfigMap of the same name: see
// Handover.
package lease
