#!/usr/bin/env bash
# What `make python` runs: the tests of the package, as it is installed, and of a plugin
# written with it under windvane's own host. It needs Python 3.11 or later with venv or pip
# (PYTHON names the interpreter) and Go. Packages go, once, into a cache outside of the
# checkout: a virtual environment, or a plain folder where the interpreter cannot make one.
# Arguments are pytest's.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
missing=()
if ! command -v "$python" >/dev/null; then
	missing+=("$python: install Python 3.11 or later, or name one in PYTHON")
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	missing+=("Python 3.11: $("$python" -V) is older; name another in PYTHON")
elif ! "$python" -c 'import ensurepip' 2>/dev/null && ! "$python" -m pip --version >/dev/null 2>&1; then
	missing+=("pip: $python has neither venv nor pip; install python3-venv or python3-pip")
fi
command -v go >/dev/null || missing+=("go: install Go 1.26 or newer; windvane's simulator and host are run from here")
if ((${#missing[@]})); then
	printf 'missing: %s\n' "${missing[@]}" >&2
	exit 1
fi

key=$({ cat requirements.txt; "$python" -VV; } | cksum)
home="${XDG_CACHE_HOME:-$HOME/.cache}/windvane/python-${key%% *}"
if [[ ! -e $home/complete ]]; then
	echo "installing grpcio, Gymnasium and pytest into $home, once" >&2
	rm -rf "$home"
	if ! "$python" -m venv "$home" >/dev/null 2>&1; then # as on Debian without python3-venv
		rm -rf "$home"
		mkdir -p "$home/bin"
		printf '#!/bin/sh\nPYTHONPATH=%q${PYTHONPATH:+:$PYTHONPATH} exec %q "$@"\n' "$home/lib" "$(command -v "$python")" >"$home/bin/python"
		chmod +x "$home/bin/python"
		"$python" -m pip install --disable-pip-version-check --quiet --target "$home/lib" -r requirements.txt
	else
		"$home/bin/python" -m pip install --disable-pip-version-check --quiet -r requirements.txt
	fi
	touch "$home/complete"
fi

# Installed from a copy: setuptools leaves what it builds beside the sources.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source" "$work/bin"
cp -r pyproject.toml README.md windvane "$work/source"
"$home/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --target "$work/site" "$work/source"
printf '#!/bin/sh\nPYTHONPATH=%q${PYTHONPATH:+:$PYTHONPATH} exec %q "$@"\n' "$work/site" "$home/bin/python" >"$work/bin/python"
chmod +x "$work/bin/python"

export WINDVANE_PYTHON=$work/bin/python
go build -o "$work/bin/windvane" ../../cmd/windvane
export PATH=$work/bin:$PATH
"$WINDVANE_PYTHON" -m pytest -p no:cacheprovider -c pyproject.toml --rootdir . tests "$@"
go test -count=1 .
