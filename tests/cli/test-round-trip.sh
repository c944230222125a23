#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What encrypt writes, decrypt reads: every preset with every codec, every length class, and both key modes.
. "$(dirname "$0")/common.sh"

printf %s 'correct horse battery staple' >passphrase
printf '\000\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017' >bytes

# Encoded frames as far as clear bytes depend on them: start codes and slice types of H.264 and H.265.
sps=000000016742c01eda0280f684000000
h264_key=${sps}0168ce3c800000000165888400$(n_bytes 300)
h264_delta=00000001419a2400$(n_bytes 200)
h265_key=0000000140010c01000000012601af08$(n_bytes 300)

frames() {
        frame audio opus - "f8$(n_bytes 120)"
        frame audio red - "f800$(n_bytes 120)"
        frame audio pcmu - "$(n_bytes 160)"
        frame audio pcma - "$(n_bytes 160)"
        frame audio g722 - "$(n_bytes 160)"
        frame audio audio - "$(n_bytes 1)"
        frame video vp8 key "$(n_bytes 10)"
        frame video vp8 key "1000009d012a8002e001$(n_bytes 5000)"
        frame video vp8 delta "$(n_bytes 3)"
        frame video vp8 delta "31$(n_bytes 900)"
        frame video vp9 key "82498342$(n_bytes 3000)"
        frame video vp9 delta "86$(n_bytes 800)"
        frame video h264 key "$h264_key"
        frame video h264 delta "$h264_delta"
        frame video h265 key "$h265_key"
        frame video - key "$(n_bytes 64)"
        frame data data - "$(n_bytes 1)"
        frame data data - "$(n_bytes 3000)"
        frame data - - "$(n_bytes 70000)"
        frame - opus - "fc$(n_bytes 20)"
        frame - vp8 key "$(n_bytes 2000)"
}
# As DAVE's receivers get it: without a delimiter, the last unit without its size.
av1_frame() {
        frame video av1 key "0a0b$(n_bytes 11)30$(n_bytes 4000)"
}

# What a frame grows by at least: tag, IV or counter, and trailer or header.
overhead=30
round_trip() {
        local what=$1 key=$2 n_frames
        shift 2
        frames >frames.jsonl
        # LiveKit's peers cannot read AV1.
        [[ $* = *livekit* || $* = *element-call* ]] || av1_frame >>frames.jsonl
        n_frames=$(wc -l <frames.jsonl)
        field payload_hex <frames.jsonl >plain.txt
        "$framekeyctl" encrypt --key-file="$key" "$@" <frames.jsonl >sealed.jsonl || fail "$what: encrypt failed"
        "$framekeyctl" decrypt --key-file="$key" "$@" <sealed.jsonl >opened.jsonl || fail "$what: decrypt failed"
        equal "$what: verdicts of encrypt" "$n_frames ok" "$(field verdict <sealed.jsonl | uniq -c | xargs)"
        equal "$what: verdicts of decrypt" "$n_frames ok" "$(field verdict <opened.jsonl | uniq -c | xargs)"
        field payload_hex <opened.jsonl | cmp -s - plain.txt || fail "$what: the frames differ"
        # Nothing may pass unchanged. DAVE drops and shortens what receivers do not need.
        field payload_hex <sealed.jsonl | paste -d ' ' - plain.txt | awk -v overhead=$overhead '
                length($1) < length($2) + 2 * overhead { print "frame " NR " grew by " (length($1) - length($2)) / 2 }' >short.txt
        equal "$what: growth" "" "$(cat short.txt)"
}

presets=$("$framekeyctl" presets --no-legend | cut -d ' ' -f 1)
[ -n "$presets" ] || fail "there are no presets"
for preset in $presets; do
        case $preset in
        *bytes | element-call) round_trip "$preset" bytes --profile="$preset" ;;
        sframe) overhead=17 round_trip "$preset" bytes --profile="$preset" ;;
        dave) overhead=12 round_trip "$preset" bytes --profile="$preset" ;;
        *) round_trip "$preset" passphrase --profile="$preset" ;;
        esac
done
round_trip "key index 15" passphrase --profile=livekit --key-index=15
round_trip "key index 200 of 256" bytes --profile=livekit-bytes --key-index=200 --ring-size=256
round_trip "step 3" bytes --profile=livekit-bytes --step=3
round_trip "256 bits" bytes --profile=livekit-bytes --key-bits=256
round_trip "own salt" bytes --profile=livekit-bytes --salt='another salt' --kdf=pbkdf2 --iterations=1000
round_trip "participant keys" bytes --profile=livekit-bytes -o key-mode=participant --participant='Ñandú, "7"/ä'

# LiveKit's web clients write long start codes in the clear part, so the frame comes back with one zero more.
frame video h264 key "00000165888400$(n_bytes 30)" | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=bytes |
        "$framekeyctl" decrypt --profile=livekit-bytes --key-file=bytes >opened.jsonl
equal "short start code" "0000000165888400$(n_bytes 30)" "$(field payload_hex <opened.jsonl)"

# A wrong parameter must show: the options above are not silently ignored.
differs() {
        local what=$1
        shift
        frame audio opus - f80102 | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=bytes |
                "$framekeyctl" decrypt --profile=livekit-bytes --key-file=bytes "$@" >opened.jsonl
        equal "$what" forged "$(field verdict <opened.jsonl)"
}
differs "another salt" --salt=other
differs "another key length" --key-bits=256
differs "another derivation" --kdf=pbkdf2
differs "a later step" --step=1

# The longest frame, and one byte more.
frame data data - "$(n_bytes 1048576)" >big.jsonl
"$framekeyctl" encrypt --profile=livekit-bytes --key-file=bytes <big.jsonl |
        "$framekeyctl" decrypt --profile=livekit-bytes --key-file=bytes >opened.jsonl
equal "1 MiB" ok "$(field verdict <opened.jsonl)"
field payload_hex <big.jsonl >big.txt
field payload_hex <opened.jsonl | cmp -s - big.txt || fail "1 MiB: the frames differ"
frame data data - "$(n_bytes 1048577)" | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=bytes >sealed.jsonl
equal "1 MiB and a byte" too-long "$(field verdict <sealed.jsonl)"
nothing_delivered "1 MiB and a byte" "$(cat sealed.jsonl)"
finish
