#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# With --events the session's signals stand between the answers, as they come; without it nothing changes.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other
hello=$(frame audio opus - f80102030405)

# ---- a sender ----
start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --events
hear sender
contains "the first key" '{"event":"KeyInstalled","participant":"","key_index":0,"step":0,"generation":' "$line"
hear sender
equal "is active" '{"event":"KeyActivated","participant":"","key_index":0}' "$line"
say sender "$hello"
equal "frames are answered" ok "$(field verdict <<<"$line")"
say sender '{"do":"ratchet"}'
equal "the answer comes first" '{"done":"ratchet","step":1}' "$line"
hear_event sender KeyRatcheted '"participant":"","key_index":0,"step":1}'
say sender '{"do":"import","key_file":"other","key_index":2}'
hear_event sender KeyInstalled '"key_index":2,"step":0,"generation":'
# Without a line of input: the event is not kept back until there is one.
say sender '{"do":"activate","key_index":2,"after_usec":200000}'
equal "activate" '{"done":"activate","key_index":2}' "$line"
hear_event sender KeyActivated '"participant":"","key_index":2}'
say sender '{"do":"rotate"}'
equal "rotate" '{"done":"rotate","rotated":0,"requested":1}' "$line"
hear_event sender RotationRequested '"participant":"","key_index":3,"reason":"request","deadline_usec":0}'
say sender '{"do":"retire","key_index":2}'
hear_event sender KeyWiped '"participant":"","key_index":2,'
end sender 0

# ---- a receiver ----
{ for n in 1 2 3 4 5 6 7 8; do frame audio opus - f8010$n; done; } |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=other --key-index=3 >unknown.jsonl
frame audio opus - f80109 | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key >good.jsonl
start receiver "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key --participant='phone-7' --events
hear_event receiver KeyInstalled '"key_index":0'
say receiver "$(cat good.jsonl)"
to=$receiver_in
for n in 1 2 3 4 5 6 7 8; do sed -n "${n}p" unknown.jsonl >&"$to"; sleep 0.1; done
hear_event receiver DecryptionStalled '"participant":"phone-7","channel":"/org/framekey1/session/'
contains "stalled: state and index" '"state":"missing-key","key_index":3,"frames":' "$line"
sed -n 1p unknown.jsonl >&"$to"
printf '%s\n' '{"do":"import","key_file":"other","key_index":3}' >&"$to"
sed -n 2p unknown.jsonl >&"$to"
hear_event receiver DecryptionResumed '"participant":"phone-7","channel":"/org/framekey1/session/'
end receiver 0

# ---- every event is one line of JSON, and another framekeyctl lets it pass ----
{ echo "$hello"; echo '{"do":"ratchet"}'; echo '{"do":"wait","usec":300000}'; echo "$hello"; } |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --events >with.jsonl
python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' <with.jsonl || fail "an event is not JSON"
grep -q '^{"event"' with.jsonl || fail "there are no events"
status "a pipe of two" 0 "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key <with.jsonl
equal "a pipe of two" "$(grep -c '"event"' with.jsonl)" "$(grep -c '"event"' out.txt)"
equal "a pipe of two" "ok ok" "$(field verdict <out.txt | xargs)"
{ echo "$hello"; echo '{"do":"ratchet"}'; echo '{"do":"wait","usec":300000}'; echo "$hello"; } |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key >without.jsonl
equal "without --events" 4 "$(wc -l <without.jsonl)"
# A reader that goes away ends the run although nothing is sent in.
sleep 20 | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --events >/dev/full 2>err.txt &
pid=$!
for _ in $(seq 100); do [ -s err.txt ] && break; sleep 0.1; done
contains "disk full" 'Cannot write the output' "$(cat err.txt)"
kill "$pid" 2>/dev/null
finish
