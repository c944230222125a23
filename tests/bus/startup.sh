#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyd's command line, exit statuses and protection of the process.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
daemon=${FRAMEKEYD:-$build/daemon/framekeyd}
if [ "${1-}" != inside ]; then
        exec "$here/../with-daemon" --daemon-arg=--threads=3 "$0" inside
fi

fail() {
        echo "startup: $*" >&2
        exit 1
}

# expect STATUS PATTERN ARGUMENT...: framekeyd ends with this status and says something like this.
expect() {
        local wanted=$1 pattern=$2 status=0 said

        shift 2
        said=$("$daemon" "$@" 2>&1) || status=$?
        [ "$status" -eq "$wanted" ] || fail "framekeyd $* ended with $status, not $wanted: $said"
        grep -q -- "$pattern" <<<"$said" || fail "framekeyd $*: $said"
}

expect 0 '^framekeyd [0-9]' --version
expect 0 'Examples:' --help
expect 2 "Try 'framekeyd --help'" --nonsense
expect 2 'takes options only' something
expect 2 'from 1 to 16' --threads=0
expect 2 'from 1 to 16' --threads=17
expect 2 'from 64K' --arena-size=1K
expect 2 'from 64K' --arena-size=12Q
expect 2 'from 64K' --arena-size=99999999999999999999
expect 2 'NAME=NUMBER' --quota=shoes=3
expect 2 'NAME=NUMBER' --quota=keys
expect 2 'err, warning' --log-level=loud
expect 3 'Cannot connect to the given bus' --address=unix:path=/nonexistent/bus
expect 3 'Cannot connect to the given bus' --address=nonsense
expect 3 'is taken' --system

# The one that runs: nobody's debugger, no core, all signals blocked or ignored, threads as asked.
status=/proc/$FRAMEKEYD_PID/status
[ "$(sed -n 's/^Max core file size *\([0-9]*\) *\([0-9]*\) .*/\1 \2/p' "/proc/$FRAMEKEYD_PID/limits")" = "0 0" ] || fail "core files are possible"
[ "$(stat -c %u "/proc/$FRAMEKEYD_PID/mem")" -eq 0 ] || fail "the process is dumpable"
blocked=$(sed -n 's/^SigBlk:\t//p' "$status")
((0x$blocked & 0x4002)) || fail "SIGTERM and SIGINT are not blocked: $blocked"
# Signals 32 and 33 are the C library's own.
caught=$(sed -n 's/^SigCgt:\t//p' "$status")
((0x$caught & ~0x180000000)) && [ "${enable_sanitizers:-no}" = no ] && fail "there are signal handlers: $caught"

# Small limits give a small arena and a warning, none give the status for it. Root is not bound by them.
run_limited() {
        if [ "$(id -u)" -eq 0 ]; then
                setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock bash -c "ulimit -l $1; exec \"\$@\"" bash "$daemon" "${@:2}" 2>&1
        else
                bash -c "ulimit -l $1; exec \"\$@\"" bash "$daemon" "${@:2}" 2>&1
        fi
}
status=0
said=$(run_limited 1024 --address=unix:path=/nonexistent/bus) || status=$?
[ "$status" -eq 3 ] || fail "1 MiB of locked memory is too little: $said"
grep -q 'only 1024 KiB' <<<"$said" || fail "no word of the small limit: $said"
status=0
said=$(run_limited 16 --address=unix:path=/nonexistent/bus) || status=$?
[ "$status" -eq 4 ] || fail "16 KiB of locked memory gave status $status: $said"
grep -q 'Cannot lock' <<<"$said" || fail "$said"
status=0
said=$("$daemon" --no-secretmem --address=unix:path=/nonexistent/bus 2>&1) || status=$?
grep -q 'root can read' <<<"$said" || fail "no warning with --no-secretmem: $said"

# A quota from the command line counts, and SIGTERM ends it cleanly.
"$daemon" --user --quota=sessions=0 2>"$FRAMEKEYD_DIR/log" &
wait $! && fail "there should be no user bus" || [ $? -eq 3 ] || fail "--user: $(cat "$FRAMEKEYD_DIR/log")"
dbus-daemon --nofork --nosyslog --session --address="unix:path=$FRAMEKEYD_DIR/bus" 2>/dev/null &
bus=$!
trap 'kill $bus' EXIT
for ((i = 0; i < 200; i++)); do
        [ ! -S "$FRAMEKEYD_DIR/bus" ] || break
        sleep 0.025
done
DBUS_SESSION_BUS_ADDRESS=unix:path=$FRAMEKEYD_DIR/bus "$daemon" --user --quota=sessions=0 2>"$FRAMEKEYD_DIR/log" &
second=$!
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$FRAMEKEYD_DIR/bus
for ((i = 0; i < 200; i++)); do
        ! busctl --system --quiet status org.framekey1 >/dev/null 2>&1 || break
        sleep 0.025
done
said=$(busctl --system call org.framekey1 /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit test 0 2>&1) && fail "the quota of 0 sessions was not kept"
grep -q 'quota of 0 sessions' <<<"$said" || fail "$said"
kill -TERM "$second"
wait "$second" || fail "SIGTERM ended framekeyd with $?: $(cat "$FRAMEKEYD_DIR/log")"

# A bus that goes away ends the daemon, with the status for it.
DBUS_SESSION_BUS_ADDRESS=unix:path=$FRAMEKEYD_DIR/bus "$daemon" --user 2>"$FRAMEKEYD_DIR/log" &
second=$!
for ((i = 0; i < 200; i++)); do
        ! busctl --system --quiet status org.framekey1 >/dev/null 2>&1 || break
        sleep 0.025
done
trap - EXIT
kill "$bus"
status=0
wait "$second" || status=$?
[ "$status" -eq 3 ] || fail "without its bus framekeyd ended with $status"
grep -q 'bus closed the connection' "$FRAMEKEYD_DIR/log" || fail "$(cat "$FRAMEKEYD_DIR/log")"
