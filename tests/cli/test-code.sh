#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Security codes as people see them, at two hosts.
two_daemons=yes
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
printf 'correct horse battery staple' >key
printf 'wrong horse battery staple' >other
first=("$framekeyctl") second=("$framekeyctl" --address="$DBUS_SYSTEM_BUS_ADDRESS_2")

# The same sender at both ends.
start here "${first[@]}" encrypt --profile=element-call --participant='al ice' --no-key
start there "${second[@]}" decrypt --profile=element-call --participant='al ice' --no-key
say here '{"do":"wait","usec":1}' # then it is open
say there '{"do":"wait","usec":1}'
ours=$("${first[@]}" list --no-legend | cut -d ' ' -f 1)
theirs=$("${second[@]}" list --no-legend | cut -d ' ' -f 1)
status "no key" 1 "${first[@]}" code "$ours"
contains "no key" "Nobody in this session has a key yet" "$err"
status "no session" 1 "${first[@]}" code absent
contains "no session" "no session of that name" "$err"

say here "{\"do\":\"import\",\"key_index\":3,\"key_file\":\"key\"}"
contains "import" '"done":"import"' "$line"
say there "{\"do\":\"import\",\"key_index\":3,\"key_file\":\"key\"}"

status "code" 0 "${first[@]}" code "$ours"
contains "code: the participant" "al ice" "$out"
contains "code: what to do" "Compare it by voice" "$err"
code=$(grep -oE '([0-9]{3} ){5}[0-9]{3}' <<<"$out")
equal "code: 18 digits" 23 ${#code}
status "code alone" 0 "${first[@]}" -q code "$ours"
equal "code alone" "$code" "$out"
equal "code alone: no hint" "" "$err"
status "the other end" 0 "${second[@]}" -q code "$theirs"
equal "the other end" "$code" "$out"
status "as JSON" 0 "${second[@]}" code "$theirs" --json=short
equal "as JSON" "$code [{'participant': 'al ice', 'index': 3, 'step': 0, 'kid': 0}]" \
        "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["code"], d["keys"])' <out.txt)"

say there "{\"do\":\"import\",\"key_index\":3,\"key_file\":\"other\"}"
for _ in 1 2 3 4 5; do # codes are rationed
        "${second[@]}" -q code "$theirs" >out.txt 2>err.txt && break
        sleep 1
done
[ "$(cat out.txt)" != "$code" ] || fail "another key has the same code"
contains "another key" " " "$(cat out.txt)"
grep -qF "$code" "$FRAMEKEYD_LOG" "$FRAMEKEYD_LOG_2" && fail "a code is in a log"
end here 0
end there 0
finish
