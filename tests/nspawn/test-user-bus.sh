#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon of one's own on the bus of one's session: framekeyd --user, without any privilege.
set -u

build=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
daemon=$build/daemon/framekeyd
tool=$build/cli/framekeyctl

command -v dbus-daemon >/dev/null || { echo "dbus-daemon is not installed" >&2; exit 77; }
work=$(mktemp -d) || exit 99
run=()
if [ "$(id -u)" = 0 ]; then
        # Nobody in particular; the build may lie where that user cannot look.
        if setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$build/daemon/framekeyd" 2>/dev/null; then
                run=(setpriv --reuid=65534 --regid=65534 --clear-groups)
                chown 65534:65534 "$work"
        fi
fi

daemon_pid='' bus_pid=''
cleanup() {
        [ -z "$daemon_pid" ] || kill "$daemon_pid" 2>/dev/null
        [ -z "$bus_pid" ] || kill "$bus_pid" 2>/dev/null
        wait
        rm -rf "$work"
}
trap cleanup EXIT

fail() {
        echo "$*" >&2
        [ ! -f "$work/log" ] || cat "$work/log" >&2
        exit 1
}

"${run[@]}" dbus-daemon --session --nofork --nopidfile --nosyslog --address="unix:path=$work/bus" \
        --print-address=3 3>"$work/address" 2>"$work/bus.log" &
bus_pid=$!
for _ in {1..100}; do
        [ ! -s "$work/address" ] || break
        sleep 0.1
done
[ -s "$work/address" ] || fail "no session bus: $(cat "$work/bus.log")"
DBUS_SESSION_BUS_ADDRESS=$(head -n 1 "$work/address")
export DBUS_SESSION_BUS_ADDRESS
# Whatever the system's bus is, it must not be used.
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent

"${run[@]}" "$daemon" --user >"$work/log" 2>&1 &
daemon_pid=$!
for _ in {1..100}; do
        "${run[@]}" busctl --user status org.framekey1 >/dev/null 2>&1 && break
        kill -0 "$daemon_pid" 2>/dev/null || fail "framekeyd --user ended"
        sleep 0.1
done

printf 'correct horse battery staple' >"$work/passphrase"
chmod 644 "$work/passphrase"
plain=48656c6c6f20776f726c64
filter() {
        echo "{\"codec\":\"opus\",\"media\":\"audio\",\"ssrc\":1,\"rtp_timestamp\":2,\"payload_hex\":\"$2\"}" |
                "${run[@]}" "$tool" --user "$1" --profile=realtimekit --key-file="$work/passphrase" --participant=p |
                sed -n 's/.*"payload_hex": *"\([^"]*\)".*/\1/p'
}
sealed=$(filter encrypt $plain)
[ ${#sealed} = $((${#plain} + 60)) ] || fail "not encrypted: '$sealed'"
opened=$(filter decrypt "$sealed")
[ "$opened" = "$plain" ] || fail "decrypted to '$opened'"

kill "$daemon_pid"
wait "$daemon_pid"
status=$?
daemon_pid=''
[ $status = 0 ] || fail "framekeyd --user ends with $status on SIGTERM"
