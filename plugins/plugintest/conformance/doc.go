// Package conformance holds a plugin, in any language, to what its host expects: it is
// what `windvane plugin check` runs. It starts the plugin as the daemon does, asks it
// about a small mesh in many conditions, kills it, and says what is wrong in words for
// whoever writes it.
package conformance
