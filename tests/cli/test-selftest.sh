#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The verbs selftest and bench: what they find, that they can fail, and that they leave no session.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
daemon=$abs_top_builddir/daemon/framekeyd

# ---- the daemon's own ----
status "framekeyd --self-test" 0 "$daemon" --self-test --config=/absent
equal "framekeyd --self-test" "random numbers (getrandom): ok
PBKDF2-HMAC-SHA256: ok
key schedule (HKDF-SHA256): ok
trailer frame (AES-128-GCM): ok
wrapped keys (HPKE with X25519): ok" "$out"

# ---- selftest ----
status "selftest" 0 "$framekeyctl" selftest --no-legend
equal "selftest: every part of the program" 5 "$(grep -c '^program .*  ok$' out.txt)"
equal "selftest: every part of the service" 6 "$(grep -c '^service .*  ok$' out.txt)"
equal "selftest: no other line" 11 "$(wc -l <out.txt)"
status "selftest as JSON" 0 "$framekeyctl" selftest --json=short
equal "selftest as JSON" "11 ok" "$(python3 -c '
import json
rows = json.load(open("out.txt"))
print(len(rows), *{row["result"] for row in rows})')"
cat >broken <<'END'
#!/bin/sh
echo "one part: ok"
exit 5
END
chmod +x broken
status "selftest of a broken program" 1 "$framekeyctl" selftest --daemon="$scratch/broken"
contains "selftest of a broken program" "do not use this build" "$err"
contains "selftest of a broken program" "FAILED" "$out"
status "selftest of no program" 1 "$framekeyctl" selftest --daemon=/absent
status "lock" 0 "$framekeyctl" lock
status "selftest of a locked service" 1 "$framekeyctl" selftest
contains "selftest of a locked service" "locked" "$err"
status "unlock" 0 "$framekeyctl" unlock
status "selftest of no service" 3 "$framekeyctl" --address=unix:path=/absent selftest
contains "selftest of no service: the program was tested all the same" "program" "$out"

# ---- bench ----
status "bench as JSON" 0 "$framekeyctl" bench --seconds=1 --json=short
equal "bench as JSON" "[('audio', 120, 'encrypt'), ('audio', 120, 'decrypt'), ('video', 12500, 'encrypt'), ('video', 12500, 'decrypt')] True True" \
        "$(python3 -c '
import json
rows = json.load(open("out.txt"))
print([(row["frames"], row["bytes"], row["direction"]) for row in rows],
      all(0 < row["p50_usec"] <= row["p99_usec"] <= row["max_usec"] for row in rows),
      all(row["count"] > 100 and 1e6 / row["max_usec"] <= row["per_second"] < 1e7 for row in rows))')"
status "bench" 0 "$framekeyctl" bench --seconds=1
contains "bench: progress" "audio       50 %" "$out"
contains "bench" "p99 µs" "$out"
contains "bench says what it is" "one frame after the other" "$out"
contains "bench on a terminal: a line that moves" "[#" \
        "$(TERM=xterm python3 "$here/on-terminal.py" -- "$framekeyctl" bench --seconds=1)"
status "bench over ssh" 2 "$framekeyctl" -H far bench
contains "bench over ssh" "shared memory" "$err"
equal "no session is left" "[]" "$("$framekeyctl" list --json=short)"
finish
