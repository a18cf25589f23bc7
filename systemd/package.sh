#!/usr/bin/env bash
# Builds windvane_VERSION_ARCH.deb and the rpm into DIST (dist). VERSION is a release's, such as 1.2.0;
# without one it is a snapshot of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
export VERSION=${VERSION:-0.0.0-snapshot.$(git log -1 --format=%ct 2>/dev/null || echo 0)} ARCH=${ARCH:-$(go env GOARCH)}
BUILD=$(mktemp -d)
export BUILD
trap 'rm -r "$BUILD"' EXIT

REVISION=$commit GOARCH=$ARCH tools/build-release.sh "$BUILD/windvane"
CGO_ENABLED=0 go build -trimpath -ldflags "-X github.com/prometheus/common/version.Version=$VERSION" -o "$BUILD/here" ./cmd/windvane # of this machine, to print its own manual
{
	"$BUILD/here" --help-man
	printf '.SH "SEE ALSO"\n/usr/share/doc/windvane/docs/operate.md: install, promote, release, and what to do at night.\n'
} | gzip -9n >"$BUILD/windvane.1.gz"
"$BUILD/here" --completion-script-bash >"$BUILD/windvane.bash"
"$BUILD/here" --completion-script-zsh >"$BUILD/_windvane"
(cd tools/nfpm && go build -o "$BUILD/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm)

DIST=${DIST:-dist}
mkdir -p "$DIST"
for kind in deb rpm; do
	"$BUILD/nfpm" package --config systemd/nfpm.yaml --packager "$kind" --target "$DIST" >&2
done
ls "$DIST"/*"${VERSION%%-*}"*
