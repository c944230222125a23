#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A key made in one daemon, wrapped for another, used there; rotated and stepped while frames flow. Neither framekeyctl
# has ever read it.
two_daemons=yes
. "$(dirname "$0")/common.sh"

here_bus=$DBUS_SYSTEM_BUS_ADDRESS there_bus=$DBUS_SYSTEM_BUS_ADDRESS_2

# hex_field LINE FIELD
hex_field() {
        sed -n "s/.*\"$2\":\"\\([0-9a-f]*\\)\".*/\\1/p" <<<"$1"
}
# passes WHAT STEP INDEX: a frame from the sender to the receiver
passes() {
        say sender "$(frame audio opus - f801020304)"
        contains "$1: sent" "\"verdict\":\"ok\",\"key_index\":$3,\"step\":$2" "$line"
        say receiver "$line"
        contains "$1: received" '"payload_hex":"f801020304"' "$line"
        contains "$1: received" "\"key_index\":$3,\"step\":$2" "$line"
}

status "transport-key" 0 "$framekeyctl" --address="$there_bus" --json=short transport-key
there_key=$(hex_field "$out" key)
equal "a transport key is 32 bytes" 64 ${#there_key}
[[ $(field fingerprint <<<"$out") =~ ^[0-9a-f]{4}( [0-9a-f]{4}){7}$ ]] || fail "this is no fingerprint: $out"
fingerprint=$(field fingerprint <<<"$out")
contains "the same for people" "$fingerprint" "$("$framekeyctl" --address="$there_bus" transport-key)"
status "transport-key here" 0 "$framekeyctl" --json=short transport-key
[ "$(hex_field "$out" key)" != "$there_key" ] || fail "two daemons have the same transport key"

start sender "$framekeyctl" --address="$here_bus" encrypt --profile=livekit-bytes --no-key --participant=alice \
        -o key-mode=participant -o activate-by-hand=yes
start receiver "$framekeyctl" --address="$there_bus" decrypt --profile=livekit-bytes --no-key --participant=alice \
        -o key-mode=participant
say receiver '{"do":"transport-key"}'
equal "the filter tells the same key" "$there_key" "$(hex_field "$line" key_hex)"
say sender '{"do":"generate"}'
say sender "{\"do\":\"export\",\"recipient_hex\":\"$there_key\"}"
contains "export" '{"done":"export","package_hex":"' "$line"
package=$(hex_field "$line" package_hex)
say receiver "{\"do\":\"import-wrapped\",\"package_hex\":\"$package\"}"
equal "import-wrapped" '{"done":"import-wrapped","key_index":0}' "$line"
passes "the first frame" 0 0
say sender '{"do":"ratchet"}'
passes "one step on" 1 0
say sender '{"do":"rotate"}'
equal "rotate" '{"done":"rotate","rotated":1,"requested":0}' "$line"
say sender '{"do":"wait","usec":10000000,"event":"KeyInstalled"}'
say sender '{"do":"wait","usec":10000000,"event":"KeyInstalled"}'
passes "while it is handed out" 1 0
say sender "{\"do\":\"export\",\"recipient_hex\":\"$there_key\",\"key_index\":1}"
say receiver "{\"do\":\"import-wrapped\",\"package_hex\":\"$(hex_field "$line" package_hex)\"}"
equal "the second key keeps its index" '{"done":"import-wrapped","key_index":1}' "$line"
say sender '{"do":"activate","key_index":1}'
passes "the second key" 0 1

# ---- what does not open ----
flipped=${package%??}$([ "${package: -2}" = 00 ] && echo 01 || echo 00)
say receiver "{\"do\":\"import-wrapped\",\"package_hex\":\"$flipped\",\"key_index\":2}"
contains "a package that was changed" "does not open here" "$line"
say receiver '{"do":"import-wrapped","package_hex":""}'
contains "no package" "does not open here" "$line"
start stranger "$framekeyctl" --address="$there_bus" decrypt --profile=livekit-bytes --no-key --participant=bob \
        -o key-mode=participant
say stranger "{\"do\":\"import-wrapped\",\"package_hex\":\"$package\"}"
contains "another participant" "does not open here" "$line"
end stranger 1
say sender '{"do":"export","recipient_hex":"00"}'
contains "no transport key" "32 bytes" "$line"
say sender "{\"do\":\"export\",\"recipient_hex\":\"$(printf '00%.0s' $(seq 32))\"}"
contains "a key that is no point" "error: line" "$line"
say receiver "{\"do\":\"export\",\"recipient_hex\":\"$there_key\",\"key_index\":0}"
contains "a receiver cannot hand a key on" "error: line" "$line"
passes "none of it changed a thing" 0 1
end sender 1
end receiver 1

contains "the log names the recipient" "$fingerprint" "$(cat "$FRAMEKEYD_LOG")"
finish
