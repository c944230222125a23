#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines that are wrong get an answer that says what is wrong and where, the run goes on, and the status tells.
. "$(dirname "$0")/common.sh"

printf '0123456789abcdef' >key

# error WHAT LINE PART: that line, behind a blank and before a good one, is answered by an error with PART in it
error() {
        local what=$1 line=$2 part=$3
        { echo; printf '%s\n' "$line"; frame audio opus - f80102; } >in.jsonl
        status "$what" 1 "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key <in.jsonl
        equal "$what: answers" 2 "$(wc -l <out.txt)"
        contains "$what" '"verdict":"error: line 2: ' "$(head -n 1 out.txt)"
        contains "$what" "$part" "$(head -n 1 out.txt)"
        nothing_delivered "$what" "$(head -n 1 out.txt)"
        equal "$what: the next frame" ok "$(tail -n 1 out.txt | field verdict)"
        equal "$what: nothing on standard error" "" "$err"
}
error "no JSON" 'nonsense' 'no JSON'
error "half an object" '{"codec":"opus"' 'no JSON'
error "two objects" '{} {}' 'no JSON'
error "not UTF-8" "$(printf '{"codec":"\377"}')" 'no JSON'
error "a key twice" '{"codec":"opus","codec":"vp8"}' 'no JSON'
error "an array" '[1]' 'no JSON object'
error "empty object" '{}' "'payload_hex' is missing"
error "payload is a number" '{"media":"audio","payload_hex":1}' "'payload_hex' is no string"
error "half a byte" '{"media":"audio","payload_hex":"f"}' 'hex digits'
error "no hex" '{"media":"audio","payload_hex":"0g"}' 'hex digits'
error "no media" '{"payload_hex":"00"}' "'media' is not"
error "unknown media" '{"media":"smell","payload_hex":"00"}' "'media' is not"
error "unknown codec" '{"media":"video","codec":"theora","payload_hex":"00"}' "no codec 'theora'"
error "codec cut within a character" '{"codec":"0123456789012345678901234567890ä"}' 'error: line 2'
error "unknown frame type" '{"codec":"vp8","frame_type":"b","payload_hex":"00"}' "'frame_type' is not"
error "SSRC too large" '{"codec":"opus","ssrc":4294967296,"payload_hex":"00"}' "'ssrc' is no number"
error "negative timestamp" '{"codec":"opus","rtp_timestamp":-1,"payload_hex":"00"}' "'rtp_timestamp' is no number"
error "unknown command" '{"do":"dance"}' "no command 'dance'"
error "command is a number" '{"do":1}' "'do' is no string"
error "import without a file" '{"do":"import"}' "'key_file' is missing"
error "import of no file" '{"do":"import","key_file":"./absent"}' 'Cannot open the key file ./absent'
error "import outside the ring" '{"do":"import","key_file":"key","key_index":16}' 'outside the ring'
error "activate without a key" '{"do":"activate","key_index":7}' 'no key under this index'
error "activate after no number" '{"do":"activate","after_usec":"soon"}' "'after_usec' is no number"
error "activate at no truth" '{"do":"activate","at_key_frame":1}' "'at_key_frame' is not true or false"
error "import, activate no truth" '{"do":"import","key_file":"key","activate":"yes"}' "'activate' is not true or false"
error "generate outside the ring" '{"do":"generate","key_index":16}' 'outside the ring'
error "retire without a key" '{"do":"retire","key_index":7}' 'no key under this index'
error "join of nobody" '{"do":"join"}' "'participant' is missing"
error "leave of nobody" '{"do":"leave"}' "'participant' is missing"
error "leave of a stranger" '{"do":"leave","participant":"nobody"}' 'no such participant'
error "join that follows nothing" '{"do":"join","participant":"bob","follows":"nothing"}' 'follows'
error "export for nobody" '{"do":"export"}' "'recipient_hex' is missing"
error "export for half a byte" '{"do":"export","recipient_hex":"0"}' 'hex digits'
error "export for too short a key" '{"do":"export","recipient_hex":"00ff"}' '32 bytes'
error "import of no package" '{"do":"import-wrapped"}' "'package_hex' is missing"
error "import of a forged package" '{"do":"import-wrapped","package_hex":"00"}' 'does not open here'
error "metadata is no hex" '{"codec":"opus","payload_hex":"f8","metadata_hex":"0"}' "'metadata_hex' is not made of"
error "allow-unencrypted of nothing said" '{"do":"allow-unencrypted"}' "'what' is missing"
error "allow-unencrypted under LiveKit" '{"do":"allow-unencrypted","what":"all"}' 'error: line 2'
error "import under a KID of LiveKit" '{"do":"import","key_file":"key","kid":1}' "Option 'kid'"
error "import for a user that is no number" '{"do":"import","key_file":"key","user_id":{}}' "'user_id' is no number"
error "join as a member that is no number" '{"do":"join","participant":"bob","member_index":"x"}' 'decimal number'
error "set-ratchet to no number" '{"do":"set-ratchet","frames":-1}' "'frames' is no number"
error "wait for ever" '{"do":"wait","usec":3600000001}' "'usec' is no number from 0 to 3600000000"
error "wait for what is no event" '{"do":"wait","event":"Doomsday"}' "no event 'Doomsday'"
error "ratchet without a key" '{"do":"ratchet","key_index":7}' 'no key under this index'

# What another framekeyctl did not deliver passes through a pipe of two.
{ frame video vp8 key 010203; echo '{"do":"activate","key_index":0}'; frame audio opus - f80102; } |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key |
        "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key >out.txt
equal "a pipe of two" "too-short ok" "$(field verdict <out.txt | xargs)"
contains "a pipe of two" '"done":"activate"' "$(sed -n 2p out.txt)"

# Lines that do not end where a read does.
{ for n in $(seq 300); do frame audio opus - "f8$(n_bytes 600)"; done; } >in.jsonl
{ head -c 70001; sleep 0.2; head -c 1; sleep 0.2; cat; } <in.jsonl |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key >out.txt
equal "lines in pieces" "300 ok" "$(field verdict <out.txt | uniq -c | xargs)"

# CR LF, no newline at the end, spaces.
printf ' {"codec":"opus", "payload_hex":"F80A"} \r\n\t\n{"codec":"opus","payload_hex":"f80a"}' >in.jsonl
status "line ends" 0 "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key <in.jsonl
equal "line ends" "ok ok" "$(field verdict <out.txt | xargs)"
status "no input" 0 "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key </dev/null
equal "no input" "" "$out"

# Each answer comes before the next line is sent.
coproc "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
pid=$COPROC_PID to=${COPROC[1]} from=${COPROC[0]}
for n in 1 2 3; do
        frame audio opus - "f80$n" >&"$to"
        read -r -t 20 line <&"$from" || fail "answer $n did not come"
        equal "answer $n" ok "$(field verdict <<<"$line")"
done
exec {to}>&-
wait "$pid" || fail "the end of input is not the end"

# A reader that goes away ends the run, and with it the session.
frame audio opus - f801 | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key >/dev/full 2>err.txt
equal "disk full" 1 "${PIPESTATUS[1]}"
contains "disk full" 'Cannot write the output' "$(cat err.txt)"
equal "sessions are gone" "[]" "$("$framekeyctl" list --json=short)"
finish
