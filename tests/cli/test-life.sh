#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands about the life of a key: made here, used later, rotated, stepped by itself, after joins and leaves.
. "$(dirname "$0")/common.sh"

printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

encrypt() {
        "$framekeyctl" encrypt --profile=livekit-bytes "$@"
}
hello=$(frame audio opus - f80102030405)
key_frame=$(frame video vp8 key "$(n_bytes 40)")
delta_frame=$(frame video vp8 delta "$(n_bytes 40)")

# sends NAME WHAT EXPECTED [FRAME]: verdict, key index and step of a frame
sends() {
        say "$1" "${4:-$hello}"
        equal "$2" "$3" "$(field verdict <<<"$line") $(field key_index <<<"$line") $(field step <<<"$line")"
}
# answers NAME WHAT LINE EXPECTED
answers() {
        say "$1" "$3"
        equal "$2" "$4" "$line"
}

# ---- no key before a command brings one ----
start maker "$framekeyctl" encrypt --profile=livekit-bytes --no-key
sends maker "before there is a key" "unknown-key 0 0"
answers maker "generate" '{"do":"generate","key_index":3}' '{"done":"generate","key_index":3}'
sends maker "generated" "ok 3 0"
answers maker "a second one" '{"do":"generate","key_index":4}' '{"done":"generate","key_index":4}'
sends maker "not active yet" "ok 3 0"
answers maker "activate later" '{"do":"activate","after_usec":300000}' '{"done":"activate","key_index":4}'
sends maker "not yet" "ok 3 0"
answers maker "wait for it" '{"do":"wait","usec":10000000,"event":"KeyActivated"}' \
        '{"done":"wait","event":"KeyActivated"}' # the first key's
answers maker "wait for it" '{"do":"wait","usec":10000000,"event":"KeyActivated"}' \
        '{"done":"wait","event":"KeyActivated"}'
sends maker "activated" "ok 4 0"
answers maker "wait in vain" '{"do":"wait","usec":1000,"event":"KeyExpiring"}' '{"done":"wait"}'
answers maker "wait for nothing" '{"do":"wait"}' '{"done":"wait"}'
answers maker "generate and activate" '{"do":"generate","key_index":5,"activate":true}' '{"done":"generate","key_index":5}'
sends maker "active at once" "ok 5 0"
answers maker "retire" '{"do":"retire","key_index":5}' '{"done":"retire","key_index":5}'
sends maker "retired" "unknown-key 0 0"
end maker 0

# ---- at the next key frame of each stream ----
start maker "$framekeyctl" encrypt --profile=livekit-bytes --no-key
say maker '{"do":"generate","key_index":0}'
sends maker "first picture" "ok 0 0" "$key_frame"
say maker '{"do":"generate","key_index":1,"activate":true,"at_key_frame":true}'
sends maker "video goes on under the old key" "ok 0 0" "$delta_frame"
sends maker "audio changes" "ok 1 0"
sends maker "video still goes on" "ok 0 0" "$delta_frame"
sends maker "the key frame changes" "ok 1 0" "$key_frame"
sends maker "and what follows it" "ok 1 0" "$delta_frame"
end maker 0

# ---- rotation: made here is replaced here, imported is asked for ----
start maker "$framekeyctl" encrypt --profile=livekit-bytes --no-key -o activate-after-usec=200000
say maker '{"do":"generate"}'
sends maker "before the rotation" "ok 0 0"
answers maker "rotate" '{"do":"rotate","reason":"test"}' '{"done":"rotate","rotated":1,"requested":0}'
sends maker "distribute first" "ok 0 0"
say maker '{"do":"wait","usec":10000000,"event":"KeyActivated"}'
say maker '{"do":"wait","usec":10000000,"event":"KeyActivated"}'
sends maker "then use" "ok 1 0"
end maker 0
start importer "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
answers importer "rotate what was imported" '{"do":"rotate"}' '{"done":"rotate","rotated":0,"requested":1}'
answers importer "it is asked for" '{"do":"wait","usec":10000000,"event":"RotationRequested"}' \
        '{"done":"wait","event":"RotationRequested"}'
sends importer "the old key serves" "ok 0 0"
say importer '{"do":"import","key_file":"other","key_index":1,"activate":true}'
sends importer "the new one" "ok 1 0"
end importer 0

# ---- steps by themselves ----
start stepper "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key -o ratchet-frames=2
sends stepper "one frame" "ok 0 0"
sends stepper "two frames" "ok 0 0"
answers stepper "it steps" '{"do":"wait","usec":10000000,"event":"KeyRatcheted"}' '{"done":"wait","event":"KeyRatcheted"}'
sends stepper "the next step" "ok 0 1"
answers stepper "no more" '{"do":"set-ratchet","frames":0}' '{"done":"set-ratchet"}'
for n in 1 2 3 4; do sends stepper "it stays ($n)" "ok 0 1"; done
answers stepper "by time" '{"do":"set-ratchet","interval_usec":1000000}' '{"done":"set-ratchet"}'
answers stepper "it steps by time" '{"do":"wait","usec":10000000,"event":"KeyRatcheted"}' \
        '{"done":"wait","event":"KeyRatcheted"}'
sends stepper "the step after it" "ok 0 2"
say stepper '{"do":"set-ratchet","interval_usec":1000}'
contains "below the minimum" "MinimumIntervalSec=1s" "$line"
end stepper 1

# ---- who comes and goes ----
start member "$framekeyctl" encrypt --profile=livekit-bytes --no-key --participant=me -o coalesce-usec=0 \
        -o activate-after-usec=0
say member '{"do":"generate"}'
sends member "alone" "ok 0 0"
say member '{"do":"join","participant":"bob","follows":"window"}'
contains "join" '{"done":"join","when_usec":1' "$line"
say member '{"do":"wait","usec":10000000,"event":"KeyRatcheted"}'
sends member "bob came" "ok 0 1"
say member '{"do":"join","participant":"bob"}'
contains "join twice" 'already' "$line"
say member '{"do":"leave","participant":"bob"}'
contains "leave" '{"done":"leave","when_usec":1' "$line"
for n in 1 2; do say member '{"do":"wait","usec":10000000,"event":"KeyActivated"}'; done
sends member "bob left" "ok 1 0"
say member '{"do":"leave","participant":"bob"}'
contains "leave twice" 'no such participant' "$line"
end member 1
start member "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key -o coalesce-usec=0
say member '{"do":"join","participant":"bob"}'
sends member "an imported key stays for a joiner" "ok 0 0"
say member '{"do":"join","participant":"carol","ratchet":true}'
answers member "or is asked for" '{"do":"wait","usec":10000000,"event":"RotationRequested"}' \
        '{"done":"wait","event":"RotationRequested"}'
end member 0

# ---- options go through ----
status "an option about the key's life" 0 encrypt --key-file=key -o ratchet-interval-usec=0 -o ratchet-bytes=1000000 \
        -o rotate-after-usec=3600000000 -o maximum-key-age-usec=7200000000 -o activate-at-key-frame=yes \
        -o activate-by-hand=no -o send-limit=1000 -o retain-root=yes -o retire-superseded=no </dev/null
status "an interval below the minimum" 1 encrypt --key-file=key -o ratchet-interval-usec=1000 </dev/null
contains "an interval below the minimum" "MinimumIntervalSec=1s" "$err"
finish
