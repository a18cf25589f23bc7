// Package alertmanager tests windvane against a real Alertmanager, with the receiver of
// deploy/alertmanager. It has no code beside its tests, which the build tag integration turns
// on: `make integration`, or for this package alone
//
//	WINDVANE_PROGRAMS=$(integration/tools/build.sh alertmanager) go test -tags integration ./integration/alertmanager
package alertmanager
