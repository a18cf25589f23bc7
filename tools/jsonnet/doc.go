// Package jsonnet tests deploy/mixin by a real jsonnet, in a module of its own: `make lint`
// runs it.
package jsonnet
