#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# DAVE by encrypt and decrypt: known answers, clear ranges, epochs, users of a group, and what passes without a key.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
vectors=$here/../vectors
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

seal() {
        "$framekeyctl" encrypt --profile=dave --key-file=key "$@"
}
open() {
        "$framekeyctl" decrypt --profile=dave --key-file=key "$@"
}
# opens WHAT VERDICT [OPTION...]: what is in sealed.jsonl, all of it
opens() {
        local what=$1 expected=$2
        shift 2
        status "$what" 0 open "$@" <sealed.jsonl
        equal "$what" "$expected" "$(field verdict <out.txt | sort -u | xargs)"
}
audio=$(frame audio opus - "f8$(n_bytes 40)")

# ---- what others sealed, and the keys that others have ----
python3 - "$vectors/dave.json" <<'END'
import json, sys
dave = json.load(open(sys.argv[1]))
for n, case in enumerate(dave["mls_export"]):
        open(f"group-{n}", "wb").write(bytes.fromhex(case["exporter_secret"]))
        open(f"base-{n}", "wb").write(bytes.fromhex(case["base_secret"]))
        open(f"user-{n}", "w").write(case["user_id"])
END
for n in 0 1; do
        user=$(cat user-$n)
        echo "$audio" | "$framekeyctl" encrypt --profile=dave --key-file=group-$n --user-id="$user" >sealed.jsonl
        opens "user $n of the group: the base secret" ok --key-file=base-$n
        opens "user $n of the group: the group's secret" ok --key-file=group-$n --user-id="$user"
        opens "user $n of the group: another user" forged --key-file=group-$n --user-id=1
done
frame audio opus - "" | seal >sealed.jsonl
equal "an empty frame is a trailer" 24 "$(field payload_hex <sealed.jsonl | tr -d '\n' | wc -c)"
opens "an empty frame" ok
equal "an empty frame" "" "$(field payload_hex <out.txt)"

# ---- clear ranges ----
# begins WHAT CLEAR LINE: the sealed frame begins with these bytes, does not go on as the plain one, and opens
begins() {
        local what=$1 clear=$2 plain sealed
        echo "$3" | seal >sealed.jsonl
        plain=$(field payload_hex <<<"$3")
        sealed=$(field payload_hex <sealed.jsonl)
        equal "$what: clear" "$clear" "${sealed:0:${#clear}}"
        [ "${sealed:${#clear}:16}" != "${plain:${#clear}:16}" ] || fail "$what: what comes then is clear too"
        equal "$what: marker" fafa "${sealed: -4}"
        opens "$what" ok
}
begins "Opus" "" "$audio"
begins "VP8 key frame" "1000009d012a8002e001" "$(frame video vp8 key "1000009d012a8002e001$(n_bytes 60)")"
begins "VP8 delta frame" "31" "$(frame video vp8 delta "31$(n_bytes 60)")"
begins "VP9" "" "$(frame video vp9 key "82498342$(n_bytes 60)")"
begins "H.264" "00000001674200000001658884" "$(frame video h264 key "00000001674200000001658884$(n_bytes 60)")"
begins "H.265" "0000000126af" "$(frame video h265 key "0000000126af$(n_bytes 60)")"
begins "AV1" "0a3c" "$(frame video av1 key "0a3c$(n_bytes 60)30$(n_bytes 60)")"
# What receivers do not need is not sent: short start codes come back long, delimiters do not come back.
frame video h264 key "00000165888401$(n_bytes 30)" | seal | open >out.txt
equal "start codes come back long" "0000000165888401$(n_bytes 30)" "$(field payload_hex <out.txt)"
frame video av1 key "1200320a$(n_bytes 10)" | seal | open >out.txt
equal "a delimiter does not come back" "30$(n_bytes 10)" "$(field payload_hex <out.txt)"

# ---- refusals ----
seal <<<"$audio" >sealed.jsonl
opens "another key" forged --key-file=other
cat sealed.jsonl sealed.jsonl | open >out.txt
equal "twice" "ok replayed" "$(field verdict <out.txt | xargs)"
hex=$(field payload_hex <sealed.jsonl)
frame audio opus - "${hex%????}fafb" >sealed.jsonl
opens "no marker" malformed
status "a step by hand" 1 seal <<<'{"do":"ratchet"}'
contains "a step by hand" "do not step" "$out"
status "ratchet options" 1 seal -o ratchet-frames=1000 </dev/null
contains "ratchet options" "ratchet" "$err"
status "a group's secret without its user" 1 "$framekeyctl" encrypt --profile=dave --key-file=group-0 </dev/null
contains "a group's secret without its user" "16" "$err"

# ---- epochs ----
{ echo "$audio"; echo '{"do":"import","key_file":"other","key_index":1,"activate":true}'; echo "$audio"; } | seal |
        grep payload >sealed.jsonl
equal "epochs" "0 1" "$(field key_index <sealed.jsonl | xargs)"
{ echo '{"do":"import","key_file":"other","key_index":1}'; sed -n 2p sealed.jsonl; sed -n 1p sealed.jsonl; } | open >out.txt
equal "the epoch before is still there" "ok ok" "$(grep payload out.txt | field verdict | xargs)"
user=$(cat user-1)
{ echo "{\"do\":\"import\",\"key_file\":\"group-1\",\"key_index\":1,\"user_id\":\"$user\",\"activate\":true}"; echo "$audio"; } |
        seal | tail -n 1 >sealed.jsonl
opens "a user of the group by a command" ok --key-file=base-1

# ---- what passes without a key ----
silence=$(frame audio opus - f8fffe)
passes() {
        equal "$1" "$2" "$(open "${@:4}" <<<"$3" | tail -n 1 | field verdict)"
}
passes "silence" malformed "$silence"
passes "silence, permitted" server-injected "$silence" --allow-unencrypted=silence
passes "silence is audio" malformed "$(frame video vp8 - f8fffe)" --allow-unencrypted=silence
passes "anything, where silence is permitted" malformed "$(frame audio opus - f801)" --allow-unencrypted=silence
passes "anything, permitted" unencrypted "$(frame audio opus - f801)" --allow-unencrypted=all
passes "silence, taken back" malformed "{\"do\":\"allow-unencrypted\",\"what\":\"nothing\"}
$silence" --allow-unencrypted=silence
passes "silence, by a command" server-injected "{\"do\":\"allow-unencrypted\",\"what\":\"silence\",\"usec\":60000000}
$silence"
equal "it is delivered" f8fffe "$(open --allow-unencrypted=silence <<<"$silence" | field payload_hex)"
status "for too long" 1 open <<<'{"do":"allow-unencrypted","what":"all","usec":61000000}'
status "no such thing" 1 open --allow-unencrypted=everything </dev/null
status "of a sender" 1 seal --allow-unencrypted=all </dev/null
contains "of a sender" "role" "$err"
status "under another format" 1 "$framekeyctl" decrypt --profile=sframe --key-file=key --allow-unencrypted=all </dev/null

start shown "$framekeyctl" decrypt --profile=dave --key-file=key --allow-unencrypted=silence
say shown "$silence"
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
status "show" 0 "$framekeyctl" show "$session"
contains "show" "IN CLEAR" "$out"
contains "show" "silence, ends in 2" "$out" # 3 or 4 h
end shown 0
finish
