#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What monitor, show and status tell people of keys that come and go and of streams that do not work.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other
{ for n in 1 2 3 4 5 6 7 8; do frame audio opus - f8010$n; done; } |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=other --key-index=3 >unknown.jsonl

# Its name ends the line on a terminal that believes it.
name=$'phone\033[31m-7'
start receiver "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key --participant="$name" -o exclusive=no
say receiver '{"do":"import","key_file":"key","key_index":1}'
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
alone "$framekeyctl" monitor "$session" >people.txt 2>hint.txt &
people=$!
alone "$framekeyctl" --json=short monitor "$session" >programs.txt 2>/dev/null &
programs=$!
for _ in $(seq 100); do [ -s hint.txt ] && break; sleep 0.1; done
contains "monitor" "Listening to session $session" "$(cat hint.txt)"
sleep 0.3 # the second one, too

say receiver '{"do":"ratchet","key_index":1}'
for n in 1 2 3 4 5 6 7 8; do say receiver "$(sed -n "${n}p" unknown.jsonl)"; sleep 0.1; done
for _ in $(seq 100); do grep -q "frames carry" people.txt && break; sleep 0.1; done
contains "a step" "key 1 is at step 1 now" "$(cat people.txt)"
contains "a stream that does not work" '\x1b[31m-7: frames carry key 3, you hold 0, 1 (missing-key)' "$(cat people.txt)"
grep -q $'\033' people.txt && fail "a name gets control characters onto the terminal"
[[ $(head -n 1 people.txt) =~ ^[0-9]{2}:[0-9]{2}:[0-9]{2}\  ]] || fail "no time: $(head -n 1 people.txt)"
grep '^{"event":"DecryptionStalled"' programs.txt >stalled.txt || fail "programs are not told"
contains "the same for programs" '"state":"missing-key","key_index":3' "$(cat stalled.txt)"

status "show" 0 "$framekeyctl" show "$session"
contains "show: the keys" "imported" "$out"
contains "show: the sentence" "frames carry key 3, you hold 0, 1 (missing-key)" "$out"
contains "show: policy" "Fully protected" "$out"
contains "show: policy" "Ratchet every" "$out"
equal "show: three empty lines between four parts and the sentence" 4 "$(grep -c '^$' out.txt)"
status "show as JSON" 0 "$framekeyctl" show "$session" --json=short
equal "show as JSON" "missing-key 3 decrypt imported" "$(python3 -c '
import json, sys
d = json.load(open("out.txt"))
s = d["streams"][0]
print(s["state"], s["key_index"], s["direction"], d["participants"][0]["Keys"][0]["origin"])')"
status "status" 0 "$framekeyctl" status
contains "status: the sentence" "frames carry key 3, you hold 0, 1 (missing-key)" "$out"
status "status as JSON" 0 "$framekeyctl" status --json=short
contains "status as JSON" '"sentence":"' "$out"

say receiver '{"do":"import","key_file":"other","key_index":3}'
say receiver "$(sed -n 1p unknown.jsonl)"
equal "it works again" ok "$(field verdict <<<"$line")"
for _ in $(seq 100); do grep -q "works again" people.txt && break; sleep 0.1; done
contains "it is told that it works again" "works again" "$(cat people.txt)"
status "status" 0 "$framekeyctl" status
case $out in *"WHAT DOES NOT WORK"*) fail "status tells of troubles that are over" ;; esac
end receiver 0
wait "$people" || fail "monitor does not end with the session"
wait "$programs" || fail "monitor does not end with the session"
contains "the end is told" "The session has ended." "$(cat hint.txt)"

# ---- a session that is its opener's alone ----
start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
say sender "$(frame audio opus - f801)"
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
status "monitor of an exclusive session" 1 timeout 20 "$framekeyctl" monitor "$session"
contains "monitor of an exclusive session" "exclusive" "$err"

# ---- rotate as an administrator ----
status "rotate" 0 "$framekeyctl" rotate "$session" --reason='somebody was here'
equal "rotate" "Replaced 0 keys; asked the owner for 1." "$out"
status "rotate all" 0 "$framekeyctl" rotate --all --json=short
equal "rotate all" '{"rotated":0,"requested":1}' "$out"
status "rotate of a participant" 1 "$framekeyctl" rotate "$session" framekeyctl
contains "rotate of a participant needs the owner's leave" "exclusive" "$err"
contains "log" "somebody was here" "$(cat "$FRAMEKEYD_LOG")"
end sender 0
finish
