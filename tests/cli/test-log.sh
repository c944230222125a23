#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The verb log, on a journal with records of framekeyd, of another service that pretends, and of everything else.
no_daemon=yes
. "$(dirname "$0")/common.sh"

remote=/lib/systemd/systemd-journal-remote
[ -x $remote ] || { echo "systemd-journal-remote is not installed" >&2; exit 77; }
command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
export TZ=UTC

# ---- a journal of 1 January 2026 ----
python3 - >export <<'END'
import struct, sys
out = sys.stdout.buffer
def record(second, unit="framekeyd.service", **fields):
    fields = {"_BOOT_ID": "0123456789abcdef0123456789abcdef", "_MACHINE_ID": "0123456789abcdef0123456789abcdef",
              "_SYSTEMD_UNIT": unit, "SYSLOG_IDENTIFIER": "framekeyd", "PRIORITY": "5", **fields}
    time = (1767225600 + second) * 1000000
    out.write(b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n" % (time, 1000000 + second * 1000000))
    for name, value in fields.items():
        value = value.encode()
        if b"\n" in value or any(byte < 32 for byte in value):
            out.write(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            out.write(name.encode() + b"=" + value + b"\n")
    out.write(b"\n")
who = {"FK_SENDER_UID": "0", "FK_SENDER_PID": "4711", "FK_SENDER_UNIQUE": ":1.5", "FK_RESULT": "ok"}
record(0, MESSAGE="Serving org.framekey1.", PRIORITY="6")
record(60, MESSAGE="audit: rotate", FK_ACTION="rotate", FK_SESSION="4f1c", FK_REASON="lost laptop", **who,
       MESSAGE_ID="7c8f846cd9d742ebb509b7d20d3087f7")
record(120, MESSAGE="audit: ratchet", FK_ACTION="ratchet", FK_SESSION="4f1c", FK_PARTICIPANT="al ice", FK_KEY_INDEX="1",
       FK_KEY_STEP="7", **who)
record(180, MESSAGE="audit: revoke", FK_ACTION="remove-participant", FK_SESSION="5a5a", FK_PARTICIPANT="x\x1b[31m\ny", **who)
record(240, MESSAGE="audit: import-key", FK_ACTION="import-key", FK_SESSION="5a5a", FK_KEY_INDEX="0",
       **{**who, "FK_SENDER_UID": "64123", "FK_RESULT": "NoSuchSession"})
record(300, MESSAGE="audit: channel-violated", FK_ACTION="channel-violated", FK_SESSION="5a5a", FK_OWNER_UID="1000")
record(360, MESSAGE="7 audit records of uid 1000 were dropped: too many at once.", PRIORITY="4")
record(420, unit="evil.service", MESSAGE="audit: rotate", FK_ACTION="rotate", FK_SESSION="forged", **who)
record(480, unit="cron.service", MESSAGE="something else")
END
$remote --output=test.journal export >remote.txt 2>&1 || { cat remote.txt >&2; exit 1; }
log() {
        status "log $*" 0 "$framekeyctl" log --file=test.journal "$@"
}

# ---- for people ----
log
equal "log" "2026-01-01 00:01:00  root[4711]        rotate            session 4f1c because \"lost laptop\"
2026-01-01 00:02:00  root[4711]        ratchet           session 4f1c participant al ice key 1 step 7
2026-01-01 00:03:00  root[4711]        remove-participant session 5a5a participant x\\x1b[31m\\x0ay
2026-01-01 00:04:00  64123[4711]       import-key        session 5a5a key 0: NoSuchSession
2026-01-01 00:05:00  the daemon        channel-violated  session 5a5a owner's uid 1000
2026-01-01 00:06:00  7 audit records of uid 1000 were dropped: too many at once." "$out"
log --all
equal "log --all" 7 "$(wc -l <out.txt)"
contains "log --all" "Serving" "$out"
log --session=4f1c
equal "log --session" 2 "$(wc -l <out.txt)"
log --since='2026-01-01 00:02' --until='2026-01-01 00:03:30'
equal "log --since --until" "ratchet remove-participant" "$(awk '{ print $4 }' out.txt | paste -sd ' ')"
log --lines=2 --reverse
contains "log -n 2 -r" "dropped" "$(head -n 1 out.txt)"
equal "log -n 2" 2 "$(wc -l <out.txt)"
log --session=none
equal "log of nothing" "" "$out"
contains "log of nothing" "no such records" "$err"
log -q --session=none
equal "log -q of nothing" "" "$out$err"
contains "log in colours" $'\033[31m' "$(SYSTEMD_COLORS=1 "$framekeyctl" log --file=test.journal)"

# ---- for programs ----
log --json=short
equal "log as JSON" '["rotate", "4f1c", "lost laptop", 0, 4711, "ok", "7c8f846cd9d742ebb509b7d20d3087f7", 1767225660000000] 1 7 False' \
        "$(python3 -c '
import json
lines = [json.loads(line) for line in open("out.txt")]
first = lines[0]
print(json.dumps([first[k] for k in ("action", "session", "reason", "sender_uid", "sender_pid", "result", "message_id", "time_usec")]),
      lines[1]["key_index"], lines[1]["key_step"], any(line.get("session") == "forged" for line in lines))')"

# ---- what comes ----
mkdir journals
cp test.journal journals
start follower "$framekeyctl" log --directory="$scratch/journals" --follow --lines=1
hear follower
contains "log --follow" "dropped" "$line"
kill "$follower_pid"
wait "$follower_pid" 2>/dev/null

# ---- what goes wrong ----
status "a time that is none" 1 "$framekeyctl" log --file=test.journal --since=nonsense
contains "a time that is none" "nonsense" "$err"
status "log over ssh" 2 "$framekeyctl" -H far log
contains "log over ssh" "ssh far framekeyctl log" "$err"
status "log of a bus" 2 "$framekeyctl" --address=unix:path=/absent log
contains "log of a bus" "this machine" "$err"
status "no journalctl" 1 env PATH=/absent LD_LIBRARY_PATH="$abs_top_builddir/libclient/.libs" "$abs_top_builddir/cli/.libs/framekeyctl" log
contains "no journalctl" "Cannot run journalctl" "$err"
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups "$framekeyctl" --version >/dev/null 2>&1; then
        mkdir -p secret
        cp test.journal secret
        chmod 755 "$scratch" secret
        chmod 600 secret/test.journal
        setpriv --reuid=65534 --regid=65534 --clear-groups "$framekeyctl" log --directory="$scratch/secret" >out.txt 2>err.txt
        equal "without leave to read: nothing" "" "$(cat out.txt)"
        grep -qiE "permission|may read|not seeing" err.txt || fail "without leave to read it is not said: $(cat err.txt)"
else
        echo "not checked: a user who may not read; this needs root and a build that others can run" >&2
fi
finish
