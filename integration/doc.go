// Package integration holds the tests of the project as a whole: which package
// may import which. Nothing imports it.
package integration
