#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon of another host: what -H asks ssh for, answered by the bridge that would run there.
. "$(dirname "$0")/common.sh"

command -v systemd-stdio-bridge >/dev/null || { echo "systemd-stdio-bridge is not installed" >&2; exit 77; }
mkdir bin
cat >bin/ssh <<END
#!/bin/sh
echo "\$*" >$scratch/asked
exec systemd-stdio-bridge --bus-path="$DBUS_SYSTEM_BUS_ADDRESS"
END
chmod +x bin/ssh
here_bus=$DBUS_SYSTEM_BUS_ADDRESS
export PATH=$scratch/bin:$PATH DBUS_SYSTEM_BUS_ADDRESS=unix:path=/absent

printf '0123456789abcdef' >key
DBUS_SYSTEM_BUS_ADDRESS=$here_bus start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
say sender "$(frame audio opus - f801)"
status "list" 0 "$framekeyctl" -H admin@far list --json=short
contains "list: whose host" "admin@far" "$(cat asked)"
contains "list: the sessions there" '"label":"framekeyctl"' "$out"
session=$(field id <out.txt)
status "show" 0 "$framekeyctl" --host=far show framekeyctl
contains "show" "$session" "$out"
status "top" 0 "$framekeyctl" -H far top --iterations=1 --delay=0.2
contains "top" "framekeyctl" "$out"
status "ratchet" 0 "$framekeyctl" -H far ratchet "$session" --reason='from afar'
contains "ratchet" "one step" "$out"
contains "the log there" "from afar" "$(cat "$FRAMEKEYD_LOG")"
status "import" 1 "$framekeyctl" -H far import "$session" <key
# A key that is pressed must not lead to a password that is asked for.
rm asked
status "completion" 0 "$framekeyctl" __complete -H far show ''
equal "completion" ":words" "$out"
[ ! -e asked ] || fail "a completion calls ssh"
end sender 0
finish
