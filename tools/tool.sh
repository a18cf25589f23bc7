#!/usr/bin/env bash
# tool.sh MODULE PACKAGE prints the path of a tool. It is built from the module in that
# folder of tools the first time, which may take minutes, into a cache outside of the
# checkout: one for each go.sum, and for each version of Go, because a linter cannot read
# code of a newer one than its own.
set -euo pipefail
cd "$(dirname "$0")/$1"
name=${2##*/}
key=$({ cat go.mod go.sum; go env GOVERSION; } | cksum)
bin="${XDG_CACHE_HOME:-$HOME/.cache}/windvane/$name-${key%% *}"
if [[ ! -x $bin ]]; then
	echo "building $name; this takes minutes, once" >&2
	mkdir -p "$(dirname "$bin")"
	# Into a name of its own first: an interrupted build, or two at once, leave nothing half done.
	go build -o "$bin.$$" "$2" 2>&1 | { grep -v '^go: downloading' || true; } >&2
	mv "$bin.$$" "$bin"
fi
echo "$bin"
