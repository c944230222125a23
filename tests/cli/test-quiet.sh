#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad frames are counted, not logged: a thousand of every kind leave as many lines in the daemon's log as one.
. "$(dirname "$0")/common.sh"

printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

# log_lines FILE: decrypts the file's frames; how many lines that adds to the log
log_lines() {
        local before after

        before=$(wc -l <"$FRAMEKEYD_LOG")
        "$framekeyctl" decrypt --profile=livekit-bytes --key-file=key <"$1" >out.jsonl || fail "$1: decrypt failed"
        for _ in 1 2 3 4 5 6 7 8 9 10; do # the session's end is logged when the daemon has noticed it
                after=$(wc -l <"$FRAMEKEYD_LOG")
                [ "$(grep -c close-session "$FRAMEKEYD_LOG")" -ge "$sessions" ] && break
                sleep 0.1
        done
        echo $((after - before))
}

frame audio opus - "f8$(n_bytes 40)" | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key >sealed.jsonl
frame audio opus - "f8$(n_bytes 40)" | "$framekeyctl" encrypt --profile=livekit-bytes --key-file=other >foreign.jsonl
good=$(field payload_hex <sealed.jsonl) foreign=$(field payload_hex <foreign.jsonl)

sessions=3
for kind in "audio opus" "video av1"; do
        # shellcheck disable=SC2086
        frame $kind - "$good"
done >none.jsonl
quiet=$(log_lines none.jsonl)
sessions=4
frame audio opus - "$good" >bad.jsonl
for _ in $(seq 1000); do
        frame audio opus - "$good"                # replayed
        frame audio opus - "$foreign"             # forged, over budget
        frame audio opus - "${good%??}07"         # unknown key
        frame audio opus - "f8${good: -30}"       # malformed
        frame video av1 - "$good"                 # unsupported
done >>bad.jsonl
loud=$(log_lines bad.jsonl)
equal "log lines of 5,000 bad frames beside two" "$quiet" "$loud"
for verdict in replayed unknown-key unsupported malformed; do
        equal "frames that are $verdict" 1000 "$(grep -c "\"verdict\":\"$verdict\"" out.jsonl)"
done
[ "$quiet" -gt 0 ] || fail "the log does not even show the session"
finish
