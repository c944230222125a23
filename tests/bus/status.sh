#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the service manager is told: ready, reloading, and a sentence for "systemctl status" that is right, says nothing
# of anybody, and comes at most once a second.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
command -v python3 >/dev/null || {
        echo "status: python3 is not installed" >&2
        exit 77
}
if [ "${1-}" != inside ]; then
        work=$(mktemp -d)
        # Stands where the service manager does: one line a message, with the time it came.
        python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + "/socket")
with open(sys.argv[1] + "/told", "w", buffering=1) as told:
    print("listening", file=told)
    while True:
        text = s.recv(65536).decode()
        print("%.3f" % time.monotonic(), text.replace("\n", "|"), file=told)
' "$work" &
        listener=$!
        trap 'kill $listener; rm -rf -- "$work"' EXIT
        for ((i = 0; i < 400; i++)); do
                [ ! -s "$work/told" ] || break
                sleep 0.025
        done
        : >"$work/framekeyd.conf"
        NOTIFY_SOCKET=$work/socket TOLD=$work/told CONFIG=$work/framekeyd.conf TZ=UTC \
                "$here/../with-daemon" --daemon-arg=--config="$work/framekeyd.conf" "$0" inside
        exit
fi

socket=$NOTIFY_SOCKET
unset NOTIFY_SOCKET # busctl needs none
fail() {
        echo "status: $*" >&2
        cat "$TOLD" >&2
        exit 1
}
# told PATTERN: waits for the last message to be like that.
told() {
        for ((i = 0; i < 400; i++)); do
                ! tail -n 1 "$TOLD" | grep -qE -- "^[0-9.]+ $1\$" || return 0
                sleep 0.025
        done
        fail "the last message is not: $1"
}
# Messages that say how things are, and not that the state of the service has changed.
count() {
        grep -cE '^[0-9.]+ STATUS=' "$TOLD" || true
}
manager=(org.framekey1 /org/framekey1 org.framekey1.Manager)

kept="counters are kept over a restart"
told "READY=1\|STATUS=Serving; no sessions; $kept\."

# One session with everything in it, and the end of it.
"$build/tests/bus/hold-objects" "$FRAMEKEYD_DIR/done" >/dev/null
told "STATUS=Serving; 1 session, 1 key, 1 channel; next ratchet [A-Z][a-z]{2} [0-9:]{8} UTC; $kept\."
touch "$FRAMEKEYD_DIR/done"
told "STATUS=Serving; no sessions; $kept\."

# A storm is told in few words; a daemon with nothing to do says nothing.
before=$(count) start=$SECONDS
for _ in {1..10}; do
        busctl --system call "${manager[@]}" OpenSession 'ssa{sv}' livekit "a label" 1 linger b true >/dev/null
        sleep 0.1
done
told "STATUS=Serving; 10 sessions, 0 keys, 0 channels; $kept\."
[ $(($(count) - before)) -le $((SECONDS - start + 2)) ] || fail "$(($(count) - before)) messages in $((SECONDS - start)) s"
[ "$(count)" -gt $((before)) ] || fail "nothing was told"
awk '/STATUS=/ && !/READY|RELOADING/ { if (last && $1 - last < 0.5) { print "too soon: " $0; exit 1 } last = $1 }' "$TOLD" ||
        fail "messages come more often than once a second"
sleep 1.5
before=$(wc -l <"$TOLD")
sleep 2.5
[ "$(wc -l <"$TOLD")" -eq "$before" ] || fail "an idle daemon goes on talking"

busctl --system call "${manager[@]}" Lock bs true "a test" >/dev/null
told "STATUS=Locked by an administrator, every frame is refused; 10 sessions, 0 keys, 0 channels; $kept\."
busctl --system call "${manager[@]}" Lock bs false "a test" >/dev/null
told "STATUS=Serving; 10 sessions, 0 keys, 0 channels; $kept\."

# Reloading is a state of its own, and what was wrong stays in sight until it is right.
wrong="The configuration was REFUSED, what was read before applies: $CONFIG:2: AllowExport=maybe cannot be taken; write yes or no"
printf '[Keys]\nAllowExport=maybe\n' >"$CONFIG"
kill -HUP "$FRAMEKEYD_PID"
told "READY=1\|STATUS=Serving; 10 sessions.*; $kept\. $wrong\."
tail -n 2 "$TOLD" | head -n 1 | grep -q 'RELOADING=1|STATUS=' || fail "nobody is told of the reload"
for id in $(busctl --system --json=short call "${manager[@]}" ListSessions | grep -oE '"[a-z2-9]{12}"' | tr -d '"'); do
        busctl --system call "${manager[@]}" CloseSession ss "$id" "a test" >/dev/null
        ! grep -q "$id" "$TOLD" || fail "a session is named"
done
[ -n "${id-}" ] || fail "no session was listed"
told "STATUS=Serving; no sessions; $kept\. $wrong\."
printf '[Keys]\nAllowExport=no\n' >"$CONFIG"
busctl --system call "${manager[@]}" Reload
told "READY=1\|STATUS=Serving; no sessions; $kept\."
! grep -qE 'label|alice' "$TOLD" || fail "somebody's words are told"

# On the system bus other users can read it: nothing of sessions is in it.
dbus-daemon --nofork --nosyslog --session --address="unix:path=$FRAMEKEYD_DIR/bus" 2>/dev/null &
bus=$!
trap 'kill $bus' EXIT
for ((i = 0; i < 200; i++)); do
        [ ! -S "$FRAMEKEYD_DIR/bus" ] || break
        sleep 0.025
done
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$FRAMEKEYD_DIR/bus
NOTIFY_SOCKET=$socket "${FRAMEKEYD:-$build/daemon/framekeyd}" --system --config="$CONFIG" \
        --runtime-directory="$FRAMEKEYD_DIR/run" --state-directory="$FRAMEKEYD_DIR/state" 2>/dev/null &
second=$!
told "READY=1\|STATUS=Serving; $kept\."
"$build/tests/bus/hold-objects" "$FRAMEKEYD_DIR/done-too" >/dev/null
sleep 1.5
told "READY=1\|STATUS=Serving; $kept\."
busctl --system call "${manager[@]}" Lock bs true "a test" >/dev/null
told "STATUS=Locked by an administrator, every frame is refused; $kept\."
touch "$FRAMEKEYD_DIR/done-too"
kill "$second"
wait "$second" || fail "the second daemon ended with $?"
