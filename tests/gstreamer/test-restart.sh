#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A live pipeline outlives its daemon: killed and started again, stopped in order and started again, and halted for a
# second. Frames are lost only while there is no session; the app opens it again under the same label, and the elements
# find it by themselves.
# shellcheck disable=SC2317 # called by trap and by until_
own_daemon=yes
# shellcheck source=tests/gstreamer/common.sh
. "$(dirname "$0")/common.sh"
needs vp8enc rtpvp8depay
command -v dbus-daemon >/dev/null || skip "dbus-daemon is not installed"

pids=()
cleanup() {
        local pid
        for pid in "${pids[@]}"; do
                kill -CONT "$pid" 2>/dev/null
                kill -KILL "$pid" 2>/dev/null
        done
        rm -rf "$work"
}
trap cleanup EXIT

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
# until WHAT COMMAND...: at most twenty seconds
until_() {
        local what=$1 i
        shift
        for ((i = 0; i < 400; i++)); do
                "$@" >/dev/null 2>&1 && return
                sleep 0.05
        done
        cat frames.txt daemon.txt >&2
        fail "$what"
        finish
}
start_daemon() {
        "$build/daemon/framekeyd" --address="$DBUS_SYSTEM_BUS_ADDRESS" --runtime-directory="$work/run" \
                --state-directory="$work/state" >>daemon.txt 2>&1 &
        daemon=$!
        pids+=("$daemon")
        until_ "the daemon does not start" busctl status org.framekey1
}
received() {
        grep -c '^received ' frames.txt
}
more_than() {
        [ "$(received)" -gt "$1" ]
}
# goes_on WHAT: sixty more frames arrive
goes_on() {
        until_ "no more frames after $1" more_than $(($(received) + 1))
}

: >frames.txt
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" >/dev/null 2>&1 &
pids+=($!)
until_ "the bus does not start" busctl status org.freedesktop.DBus
start_daemon
sessions livekit-passphrase

"$build/tests/gstreamer/frames" "videotestsrc is-live=true pattern=ball ! video/x-raw,width=64,height=48,framerate=60/1 ! vp8enc deadline=1 !
        identity name=sent ! $enc ! framekeyvp8pay ! rtpvp8depay ! $dec ! identity name=received !
        fakesink sync=false" >frames.txt 2>&1 &
pipeline=$!
pids+=("$pipeline")
goes_on "the start"

for signal in KILL TERM; do
        kill -$signal "$daemon"
        wait "$daemon" 2>/dev/null
        sleep 0.5
        start_daemon
        sessions livekit-passphrase
        goes_on "SIG$signal and a new start"
done

kill -STOP "$daemon"
sleep 1
kill -CONT "$daemon"
goes_on "a halt"

kill -TERM $pipeline
wait $pipeline
status=$?
sums=$(tail -n 1 frames.txt)
echo "$sums"
[ $status -eq 0 ] || { cat frames.txt >&2; fail "the pipeline ended with status $status"; }
! grep -q 'message .*Error' frames.txt || fail "an element posted an error"
for element in enc dec; do
        n=$(grep -c "^message $element framekey-channel, open=(boolean)true" frames.txt)
        [ "$n" -eq 3 ] || fail "$element opened its channel $n times, not 3"
        n=$(grep -c "^message $element framekey-channel, open=(boolean)false" frames.txt)
        [ "$n" -ge 2 ] || fail "$element told the loss of its channel $n times, not 2"
done
# What went in either came out or was counted as lost; what came out of the other end is what went in.
n=$(($(sum encrypted "$sums") + $(sum not-encrypted "$sums") + $(sum without-key "$sums")))
[ "$(sum sent "$sums")" -eq $n ] || fail "frames went missing"
[ "$(sum not-encrypted "$sums")" -gt 30 ] || fail "no frame was dropped while there was no session"
[ "$(sum unknown "$sums")" -eq 0 ] || fail "frames came out that never went in"
[ "$(sum key-units "$sums")" -ge 2 ] || fail "nobody asked for a key frame after the interruptions"
finish
