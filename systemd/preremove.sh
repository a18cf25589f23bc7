#!/bin/sh
# Before removal; "upgrade" (deb) and 1 (rpm) say that another version follows. The
# settings of the meshes stay: `windvane release` gives them back, while it is installed.
set -e
case "$1" in
upgrade | 1) exit 0 ;;
esac
[ -d /run/systemd/system ] && [ -z "$DPKG_ROOT" ] || exit 0
systemctl disable --now windvane.service
