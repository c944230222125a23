#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Counters over the daemon's death; see kills.c. On a bus of its own, since the daemon comes and goes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}

command -v dbus-daemon >/dev/null || {
        echo "dbus-daemon is not installed" >&2
        exit 77
}
directory=$(mktemp -d "${TMPDIR:-/tmp}/framekeyd-test.XXXXXX")
bus=
cleanup() {
        [ -z "$bus" ] || kill "$bus"
        rm -rf -- "$directory"
}
trap cleanup EXIT

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$directory/bus
cat >"$directory/bus.conf" <<EOF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
        "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
        <type>custom</type>
        <listen>$DBUS_SYSTEM_BUS_ADDRESS</listen>
        <auth>EXTERNAL</auth>
        <policy context="default">
                <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
        </policy>
</busconfig>
EOF
dbus-daemon --nofork --nosyslog --config-file="$directory/bus.conf" &
bus=$!
for ((i = 0; i < 200; i++)); do
        [ ! -S "$directory/bus" ] || break
        sleep 0.05
done
timeout 300 "$build/tests/counters/kills" "$build/daemon/framekeyd" "$directory"
