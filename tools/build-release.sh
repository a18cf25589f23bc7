#!/usr/bin/env bash
# Builds windvane as it is released into the file that is named: static, and without paths of the
# machine that built it. VERSION and REVISION are what --version says; GOARCH as for go build.
set -euo pipefail
cd "$(dirname "$0")/.."
v=github.com/prometheus/common/version
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $v.Version=$VERSION -X $v.Revision=$REVISION" -o "$1" ./cmd/windvane
