#!/bin/sh
# After installation and upgrade, of deb and rpm alike. Nothing is started that was not
# running: there is no configuration yet that would be right.
set -e
[ -d /run/systemd/system ] && [ -z "$DPKG_ROOT" ] || exit 0
systemctl daemon-reload
systemctl try-restart windvane.service
