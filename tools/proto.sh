#!/usr/bin/env bash
# The contract of plugins/proto. `proto.sh check`: it is written as buf's rules have it, it
# only adds to what was agreed (agreed.txtpb), and the generated code is that of the files.
# `proto.sh generate`, after a change: the first two, then the code and agreed.txtpb anew.
set -euo pipefail
cd "$(dirname "$0")"
buf=$(./tool.sh buf github.com/bufbuild/buf/cmd/buf)
cd ../plugins/proto

"$buf" lint
"$buf" breaking --against agreed.txtpb || {
	echo "plugins of others are built against the contract: add to it, and change nothing" >&2
	exit 1
}

# The files that follow from the .proto files, into the folder $1.
follow() {
	"$buf" generate --output "$1"
	"$buf" build --as-file-descriptor-set --exclude-source-info --output "$1/agreed.txtpb"
}

case ${1-} in
generate) follow . ;;
check)
	fresh=$(mktemp -d)
	trap 'rm -rf "$fresh"' EXIT
	follow "$fresh"
	stale=0
	while read -r file; do
		cmp -s "$fresh/$file" "$file" || { echo "plugins/proto/$file is not what the .proto files give" >&2; stale=1; }
	done < <(cd "$fresh" && find . -type f -printf '%P\n')
	if ((stale)); then
		echo "run: tools/proto.sh generate" >&2
		exit 1
	fi
	;;
*)
	echo "usage: proto.sh check|generate" >&2
	exit 2
	;;
esac
