// Package policyv1 is version 1 of the policy contract on the wire: policy.proto,
// the code generated from it, conversions to and from plugins/policy, and what
// both sides of the boundary must agree on (handshake, names, message sizes).
//
// Launching and supervising plugins is plugins/host, serving one is
// plugins/serve; neither belongs here.
package policyv1

//go:generate ../../../tools/proto.sh generate
