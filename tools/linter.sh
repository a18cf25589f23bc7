#!/usr/bin/env bash
# Prints the path of golangci-lint. It is built from this module the first time, which
# takes minutes, into a cache outside of the checkout: one for each tools/go.sum, and for
# each version of Go, because a linter cannot read code of a newer one than its own.
set -euo pipefail
cd "$(dirname "$0")"
key=$({ cat go.mod go.sum; go env GOVERSION; } | cksum)
bin="${XDG_CACHE_HOME:-$HOME/.cache}/windvane/golangci-lint-${key%% *}"
if [[ ! -x $bin ]]; then
	echo "building golangci-lint; this takes minutes, once" >&2
	mkdir -p "$(dirname "$bin")"
	# Into a name of its own first: an interrupted build, or two at once, leave nothing half done.
	go build -o "$bin.$$" github.com/golangci/golangci-lint/v2/cmd/golangci-lint 2>&1 | { grep -v '^go: downloading' || true; } >&2
	mv "$bin.$$" "$bin"
fi
echo "$bin"
