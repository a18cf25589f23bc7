// Package suite tests windvane against a real mesh (integration/stack): `make integration`.
// It has no code beside its tests, which the build tag integration turns on.
package suite
