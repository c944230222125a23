#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Frames that must not come through get the verdict's name, no payload, and are no error of the tool.
. "$(dirname "$0")/common.sh"

printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

encrypt() {
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key "$@"
}
decrypt() {
        "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key "$@"
}
# verdict WHAT EXPECTED [OPTION...]: decrypts in.jsonl; the last line counts
verdict() {
        local what=$1 expected=$2 line
        shift 2
        status "$what" 0 decrypt "$@" <in.jsonl
        line=$(tail -n 1 out.txt)
        equal "$what" "$expected" "$(field verdict <<<"$line")"
        nothing_delivered "$what" "$line"
}

frame audio opus - "f8$(n_bytes 40)" | encrypt >sealed.jsonl
hex=$(field payload_hex <sealed.jsonl)
frame audio opus - "$hex" >in.jsonl
status "untouched" 0 decrypt <in.jsonl
equal "untouched" ok "$(field verdict <<<"$out")"

# One bit of each part: clear header, ciphertext, tag, IV.
n=$((${#hex} / 2))
for at in 0 1 20 $((n - 30 + 1)) $((n - 14)) $((n - 3)); do
        byte=$((16#${hex:$((2 * at)):2} ^ 1))
        flipped=${hex:0:$((2 * at))}$(printf %02x "$byte")${hex:$((2 * at + 2))}
        frame audio opus - "$flipped" >in.jsonl
        verdict "bit flipped in byte $at" forged
done
frame audio opus - "${hex%????}0d00" >in.jsonl
verdict "IV length 13" malformed
frame audio opus - "${hex%??}05" >in.jsonl
verdict "key index without a key" unknown-key
frame audio opus - "${hex%??}ff" >in.jsonl
verdict "key index outside the ring" unknown-key
frame audio opus - "f8" >in.jsonl
verdict "too short for a trailer" malformed
frame audio opus - "f8$(n_bytes 60)" >in.jsonl
verdict "not encrypted" malformed
{ frame audio opus - "$hex"; frame audio opus - "$hex"; } >in.jsonl
verdict "twice" replayed
status "twice, without replay protection" 0 decrypt -o replay-window=0 <in.jsonl
equal "twice, without replay protection" ok "$(tail -n 1 out.txt | field verdict)"
frame audio opus - "$hex" >in.jsonl
status "another key" 0 "$framekeyctl" decrypt --profile=livekit-bytes --key-file=other <in.jsonl
equal "another key" forged "$(field verdict <<<"$out")"

# Empty frames are the only ones that pass without a key.
frame audio opus - "" >in.jsonl
status "empty" 0 decrypt <in.jsonl
equal "empty" empty "$(field verdict <<<"$out")"
contains "empty is delivered" '"payload_hex":""' "$out"
status "empty to encrypt" 0 encrypt <in.jsonl
equal "empty to encrypt" empty "$(field verdict <<<"$out")"

# What the sender refuses.
frame video vp8 key "$(n_bytes 9)" >in.jsonl
status "shorter than its clear part" 0 encrypt <in.jsonl
equal "shorter than its clear part" too-short "$(field verdict <<<"$out")"
nothing_delivered "shorter than its clear part" "$out"
frame video av1 key "$(n_bytes 90)" >in.jsonl
status "AV1 under LiveKit" 0 encrypt <in.jsonl
equal "AV1 under LiveKit" unsupported "$(field verdict <<<"$out")"
nothing_delivered "AV1 under LiveKit" "$out"

# The server's blank Opus frame, with the room's marker behind it.
blank=f8fffe$(printf '00%.0s' $(seq 77))
frame audio opus - "${blank}aabbccdd" >in.jsonl
status "server-injected" 0 decrypt -o server-trailer=aabbccdd <in.jsonl
equal "server-injected" server-injected "$(field verdict <<<"$out")"
equal "server-injected loses its marker" "$blank" "$(field payload_hex <<<"$out")"
verdict "server-injected without a marker agreed" malformed

# The panic switch, in the middle of the frames.
frame audio opus - f80102 >plain.jsonl
frame audio opus - "$hex" >in.jsonl
for direction in encrypt decrypt; do
        [ $direction = encrypt ] && input=plain.jsonl || input=in.jsonl
        coproc "$direction" -o replay-window=0
        pid=$COPROC_PID to=${COPROC[1]} from=${COPROC[0]}
        # try WHAT EXPECTED: the frame once more
        try() {
                cat "$input" >&"$to"
                read -r -t 20 line <&"$from"
                equal "$direction: $1" "$2" "$(field verdict <<<"$line")"
        }
        try "before" ok
        status "$direction: lock" 0 "$framekeyctl" lock --reason=test
        try "locked" locked
        nothing_delivered "$direction: locked" "$line"
        status "$direction: unlock" 0 "$framekeyctl" unlock
        try "unlocked" ok
        exec {to}>&-
        wait "$pid" || fail "$direction: the end of input is not the end"
done

# The names are all those of the header, in the manual too.
manual=$here/../../docs/framekeyctl.1.scd
for name in ok empty server-injected forged replayed unknown-key too-old budget malformed too-short unsupported limit \
        refused locked too-long unencrypted; do
        contains "counters" "\"$name\":" "$("$framekeyctl" stats --json=short)"
        grep -q "\\*$name\\*" "$manual" || fail "framekeyctl(1) does not name the verdict '$name'"
done
finish
