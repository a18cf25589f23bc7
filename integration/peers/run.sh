#!/usr/bin/env bash
# What `make peers` runs after `make bench`: the peers, which fill the peer fields of
# bench.json. Their packages are in a virtual environment in a cache outside of the
# checkout, one for each content of the requirement files; the first time takes minutes.
set -euo pipefail
cd "$(dirname "$0")"
trace=$1 bench=$2 splits=$3
[[ -f $trace ]] || { echo "peers: there is no trace $trace" >&2; exit 1; }
key=$(cat ./*/requirements.txt | cksum)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/windvane/peers-${key%% *}"
if [[ ! -e $venv/complete ]]; then
	echo "installing scikit-learn, PyTorch and Stable-Baselines3 into $venv, once; see README.md beside this script for its size" >&2
	rm -rf "$venv"
	"${PYTHON:-python3}" -m venv "$venv"
	"$venv/bin/pip" install --disable-pip-version-check -r learning/requirements.txt -r search/requirements.txt -r plugin/requirements.txt >&2
	touch "$venv/complete"
fi
"$venv/bin/python" search/milp.py ../../plugins/search/testdata/instances.json --ours "$bench" --seconds "${MILP_SECONDS:-20}"
"$venv/bin/python" learning/learning.py --trace "$trace" --ours "$bench" --splits "$splits" --seeds "${SEEDS:-1,2,3}"

# The package for Python as it is in this checkout, and a program of the same.
echo "$(cd ../../plugins/python && pwd)" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/windvane.pth"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/windvane" ../../cmd/windvane
"$work/windvane" import trace "$trace" --mapping ../../examples/mo1/mapping.toml -o "$work/dataset" >/dev/null
"$venv/bin/python" plugin/simulated.py --rules ../../examples/mo1/rules.toml --dataset "$work/dataset" --windvane "$work/windvane" \
	--ours "$bench" --seeds "${SEEDS:-1,2,3}"
PEERS_PYTHON="$venv/bin/python" go test -count=1 -run TestPPO ../../plugins/python
