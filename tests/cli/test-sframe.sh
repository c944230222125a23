#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# SFrame by encrypt and decrypt: known answers, suites, steps, groups, streams, metadata, and counters that go on.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
vectors=$here/../vectors
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

# seal [OPTION...] <LINES, open [OPTION...] <LINES
seal() {
        "$framekeyctl" encrypt --profile=sframe --key-file=key "$@"
}
open() {
        "$framekeyctl" decrypt --profile=sframe --key-file=key "$@"
}
# opens WHAT VERDICT [OPTION...]: what is in sealed.jsonl, all of it
opens() {
        local what=$1 expected=$2
        shift 2
        status "$what" 0 open "$@" <sealed.jsonl
        equal "$what" "$expected" "$(field verdict <out.txt | sort -u | xargs)"
        [ "$expected" = ok ] || nothing_delivered "$what" "$out"
}
refused() {
        local what=$1 part=$2
        shift 2
        status "$what" 1 "$framekeyctl" "$@" </dev/null
        contains "$what" "$part" "$err"
        equal "$what: one sentence" 1 "$(wc -l <err.txt)"
}
audio=$(frame audio opus - "f8$(n_bytes 40)")

# ---- what others sealed ----
# The RFC's vectors and those per stream: decrypt's options, and what must come out.
python3 - "$vectors" >known.txt <<'END'
import json, sys
rfc = json.load(open(sys.argv[1] + "/sframe-rfc9605.json"))
extra = json.load(open(sys.argv[1] + "/sframe-extra.json"))
names = {1: "AES_128_CTR_HMAC_SHA256_80", 2: "AES_128_CTR_HMAC_SHA256_64", 3: "AES_128_CTR_HMAC_SHA256_32",
         4: "AES_128_GCM_SHA256_128", 5: "AES_256_GCM_SHA512_128"}
for case in rfc["sframe"] + extra["ssrc"][:4]:
        print(case["base_key"], names[case["cipher_suite"]], int(case["kid"], 16), case.get("ssrc", "-"),
              case.get("metadata") or "-", case["ct"], case["pt"])
END
n=0
while read -r base_key suite kid ssrc metadata sealed plain; do
        n=$((n + 1))
        python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$base_key" >known.key
        options=(--suite="$suite" --kid="$kid")
        [ "$ssrc" = - ] || options+=(--ssrc="$ssrc")
        [ "$metadata" = - ] || options+=(--metadata-hex="$metadata")
        frame data data - "$sealed" >sealed.jsonl
        status "vector $n" 0 "$framekeyctl" decrypt --profile=sframe --key-file=known.key "${options[@]}" <sealed.jsonl
        equal "vector $n" "ok $plain" "$(field verdict <out.txt) $(field payload_hex <out.txt)"
done <known.txt
equal "vectors" 9 "$n"

# ---- suites ----
suites=$("$framekeyctl" status --json=short | python3 -c '
import json, sys
print(*(name for name in json.load(sys.stdin)["CipherSuites"] if "SHA" in name))')
equal "suites" 8 "$(wc -w <<<"$suites")"
for suite in $suites; do
        seal --suite="$suite" <<<"$audio" >sealed.jsonl
        opens "$suite" ok --suite="$suite"
        equal "$suite: grows by its tag and header" $((41 + 1 + ${suite##*_} / 8)) \
                $(($(field payload_hex <sealed.jsonl | tr -d '\n' | wc -c) / 2))
        for other in $suites; do
                [ "$other" = "$suite" ] || opens "$suite opened as $other" forged --suite="$other"
        done
done
seal <<<"$audio" >sealed.jsonl
opens "the default suite" ok --suite=AES_128_GCM_SHA256_128
opens "another key" forged --key-file=other
refused "a suite that is not there" "cipher-suite" encrypt --profile=sframe --key-file=key --suite=ROT13

# ---- what a frame may be ----
{ frame audio opus - ""; frame video av1 key "1200$(n_bytes 300)"; frame video h264 key "00000165$(n_bytes 40)"; } >in.jsonl
seal <in.jsonl >sealed.jsonl
equal "no frame is too short or of a wrong codec" "ok ok ok" "$(field verdict <sealed.jsonl | xargs)"
equal "an empty frame is a header and a tag" 34 "$(sed -n 1p sealed.jsonl | field payload_hex | tr -d '\n' | wc -c)"
opens "all codecs" ok
field payload_hex <in.jsonl >plain.txt
field payload_hex <out.txt | cmp -s - plain.txt || fail "all codecs: the frames differ"
cat sealed.jsonl sealed.jsonl | open >out.txt
equal "twice" "ok ok ok replayed replayed replayed" "$(field verdict <out.txt | xargs)"
frame audio opus - "" | open >out.txt
equal "nothing is no frame" empty "$(field verdict <out.txt)"

# ---- KIDs ----
# kid_of: of the first frame of sealed.jsonl, as its header has it (RFC 9605, 4.3)
kid_of() {
        python3 -c '
import json, sys
frame = bytes.fromhex(json.loads(sys.stdin.readline())["payload_hex"])
first = frame[0]
print(int.from_bytes(frame[1:2 + (first >> 4 & 7)], "big") if first & 128 else first >> 4 & 7)' <sealed.jsonl
}
seal --key-index=7 <<<"$audio" >sealed.jsonl
equal "the KID is the key index" "7 7" "$(kid_of) $(field key_index <sealed.jsonl)"
opens "another index" unknown-key --key-index=6
seal --kid=18446744073709551615 <<<"$audio" >sealed.jsonl
equal "the largest KID" "18446744073709551615 65535" "$(kid_of) $(field key_index <sealed.jsonl)"
opens "the largest KID" ok --kid=18446744073709551615
opens "another KID" unknown-key --kid=1

# ---- steps ----
{ echo "$audio"; for _ in 1 2 3; do echo '{"do":"ratchet"}'; echo "$audio"; done; } |
        seal --ratchet-bits=4 --key-index=2 >sealed.jsonl
equal "steps are in the KID" "32 33 34 35" "$(grep payload sealed.jsonl | field key_index | xargs)"
grep payload sealed.jsonl >steps.jsonl && mv steps.jsonl sealed.jsonl
opens "a receiver follows" ok --ratchet-bits=4 --key-index=2
sed -n 4p sealed.jsonl >last.jsonl && mv last.jsonl sealed.jsonl
opens "three at once" ok --ratchet-bits=4 --key-index=2
opens "other bits" unknown-key --ratchet-bits=5 --key-index=2
seal --ratchet-bits=4 --step=3 --key-index=2 <<<"$audio" >sealed.jsonl
equal "a key that begins at a step" 35 "$(field key_index <sealed.jsonl)"
opens "a key that begins at a step" ok --ratchet-bits=4 --key-index=2 --step=3
echo '{"do":"ratchet"}' | seal >out.txt
contains "no bits, no steps" "do not step" "$(cat out.txt)"
refused "two bits" "ratchet-bits must be 0" encrypt --profile=sframe --key-file=key --ratchet-bits=2

# ---- groups ----
group=(--mls=6:4 --key-index=14)
seal "${group[@]}" --member=3 <<<"$audio" >sealed.jsonl
equal "member and epoch are in the KID" 62 "$(kid_of)" # 3 << 4 | 14
opens "the member" ok "${group[@]}" --member=3
opens "another member" unknown-key "${group[@]}" --member=4
opens "another epoch" unknown-key --mls=6:4 --key-index=13 --member=3
opens "another context" unknown-key "${group[@]}" --member=3 --context=1
seal "${group[@]}" --member=3 --context=5 <<<"$audio" >sealed.jsonl
equal "so is the context" $((5 << 10 | 62)) "$(kid_of)"
opens "the context" ok "${group[@]}" --member=3 --context=5
refused "a group without members" "member-index" encrypt --profile=sframe --key-file=key --mls=6:4
refused "a member without a group" "member-index" encrypt --profile=sframe --key-file=key --member=3
status "bits of one kind" 2 "$framekeyctl" encrypt --profile=sframe --key-file=key --mls=6

# A new epoch whose low bits are free: a command brings its key, and the old one opens what is under way.
cp other epoch-15
{ echo "$audio"; echo '{"do":"import","key_file":"epoch-15","key_index":15,"activate":true}'; echo "$audio"; } |
        seal "${group[@]}" --member=3 | grep payload >sealed.jsonl
equal "epochs" "62 63" "$(field key_index <sealed.jsonl | xargs)"
{ echo '{"do":"import","key_file":"epoch-15","key_index":15}'; sed -n 2p sealed.jsonl; sed -n 1p sealed.jsonl; } |
        open "${group[@]}" --member=3 >out.txt
equal "the epoch before" "ok ok" "$(grep payload out.txt | field verdict | xargs)"

# ---- streams of RTP ----
seal --ssrc=4294967295 <<<"$audio" >sealed.jsonl
opens "the stream" ok --ssrc=4294967295
opens "another stream" forged --ssrc=1
opens "the base key itself" forged

# ---- metadata ----
# with METADATA: the frame above
with() {
        printf '%s,"metadata_hex":"%s"}\n' "${audio%?}" "$1"
}
with_metadata=$(with 0102)
seal <<<"$with_metadata" >sealed.jsonl
contains "metadata is repeated" '"metadata_hex":"0102"' "$(cat sealed.jsonl)"
opens "metadata" ok
sed -i 's/"metadata_hex":"0102"/"metadata_hex":"0103"/' sealed.jsonl
opens "other metadata" forged
sed -i 's/,"metadata_hex":"0103"//' sealed.jsonl
opens "no metadata" forged
opens "metadata as an option" ok --metadata-hex=0102
with "" | seal --metadata-hex=0102 >sealed.jsonl
opens "a frame's own metadata wins, also if it is empty" ok --metadata-hex=ff
seal --metadata-hex="$(n_bytes 512)" <<<"$audio" >sealed.jsonl
opens "512 bytes of metadata" ok --metadata-hex="$(n_bytes 512)"
status "513 bytes" 2 seal --metadata-hex="$(n_bytes 513)" <<<"$audio"
status "513 bytes in a line" 1 seal <<<"$(with "$(n_bytes 513)")"
contains "513 bytes in a line" "more than 512 bytes" "$out"
for profile in livekit-bytes dave; do
        status "metadata under $profile" 0 "$framekeyctl" encrypt --profile=$profile --key-file=key <<<"$with_metadata"
        equal "metadata under $profile" unsupported "$(field verdict <<<"$out")"
done

# ---- keys that are there already ----
commands() {
        printf '%s\n' "$@" | seal --kid=40
}
commands '{"do":"import","key_file":"other","key_index":1,"kid":40}' >out.txt
contains "another key under a KID" "replace" "$(cat out.txt)"
commands '{"do":"import","key_file":"other","key_index":1,"kid":40,"replace":true,"activate":true}' "$audio" >sealed.jsonl
contains "replaced" '"done":"import"' "$(head -n 1 sealed.jsonl)"
sed -i 1d sealed.jsonl
opens "replaced" ok --key-file=other --kid=40
commands '{"do":"import","key_file":"key","key_index":0,"kid":"40"}' >out.txt
contains "the same key, its KID as text" '"done":"import"' "$(cat out.txt)"
commands '{"do":"import","key_file":"key","key_index":0,"kid":-1}' >out.txt
contains "no KID" "'kid' is no number" "$(cat out.txt)"
commands '{"do":"import","key_file":"other","key_index":2,"ssrc":9,"activate":true}' "$audio" | tail -n 1 >sealed.jsonl
opens "a stream's key by a command" ok --key-file=other --key-index=2 --ssrc=9
commands '{"do":"generate","key_index":3,"kid":77,"activate":true}' "$audio" | tail -n 1 >sealed.jsonl
equal "a KID for a key made here" 77 "$(kid_of)"

# ---- the counter ----
# Two senders with one key, one after the other and at the same time: no counter twice, so that all frames open.
start first "$framekeyctl" encrypt --profile=sframe --key-file=other --kid=50
start second "$framekeyctl" encrypt --profile=sframe --key-file=other --kid=50
for sender in first second first second; do
        say $sender "$audio"
        echo "$line"
done >sealed.jsonl
end first 0
end second 0
"$framekeyctl" encrypt --profile=sframe --key-file=other --kid=50 <<<"$audio" >>sealed.jsonl
equal "five frames" 5 "$(grep -c payload sealed.jsonl)"
opens "no counter is used twice" ok --key-file=other --kid=50

# Where counters cannot be kept, nobody knows what was sent under a key that comes from outside.
: >file
status "no place for counters" 0 env abs_top_builddir="$abs_top_builddir" "$here/../with-daemon" \
        --daemon-arg=--state-directory="$scratch/file/absent" -- bash -c '
                "$0" status --json=short
                "$0" encrypt --profile=sframe --key-file=key <<<"$1" 2>&1
                "$0" decrypt --profile=sframe --key-file=key <<<"$1"
                printf "%s\n" "{\"do\":\"generate\"}" "$1" | "$0" encrypt --profile=sframe --no-key' "$framekeyctl" "$audio"
contains "no place for counters" '"CounterState":"volatile"' "$out"
contains "no place for counters: a key from outside" "for a remote participant only" "$out"
contains "no place for counters: receiving" '"verdict":"' "$out"
contains "no place for counters: a key made here" '"verdict":"ok"' "$out"

# ---- what does not go with it ----
refused "a salt" "Option 'salt'" encrypt --profile=sframe --key-file=key --salt=salt
refused "a suite under another format" "Option 'cipher-suite'" encrypt --profile=livekit --key-file=key \
        --suite=AES_128_GCM_SHA256_128
refused "a KID under another format" "Option 'kid'" encrypt --profile=livekit-bytes --key-file=key --kid=1
printf short >short
refused "a key that is too short" "16 to 64" encrypt --profile=sframe --key-file=short
refused "an exporter's secret of another suite" "32" encrypt --profile=sframe --key-file=key --mls=6:4 --member=1 \
        --suite=AES_256_GCM_SHA512_128
status "a key's KID without the key" 2 "$framekeyctl" encrypt --profile=sframe --no-key --kid=1
contains "a key's KID without the key" "--no-key" "$err"

# ---- what show tells ----
start shown "$framekeyctl" encrypt --profile=sframe --key-file=key --ratchet-bits=8 --key-index=3 -o exclusive=no
say shown "$audio"
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
status "show" 0 "$framekeyctl" show "$session"
contains "show" "KID bits for the step:  8" "$out"
equal "show: the key's KID" 768 "$(awk '/^KEYS OF/ { getline; print $NF }' out.txt)"
status "show as JSON" 0 "$framekeyctl" show "$session" --json=short
contains "show as JSON" '"kid":768' "$out"
status "import" 0 "$framekeyctl" import "$session" framekeyctl --key-index=4 --kid=512 --activate <other
say shown "$audio"
equal "imported under a KID" "ok 512" "$(field verdict <<<"$line") $(field key_index <<<"$line")"
end shown 0
finish
