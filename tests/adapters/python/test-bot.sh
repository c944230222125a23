#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bot hears a caller and says it back, each with a daemon of its own, while an administrator rotates the keys of both.
set -u

# shellcheck source=tests/adapters/python/common.sh
. "$(dirname "$0")/common.sh"

python_with aiortc,numpy
if [ -z "${FRAMEKEYD_PID:-}" ]; then
        exec "$root/tests/with-daemon" --two -- "$0"
fi
work=${FRAMEKEYD_DIR:?}

rotate() {
        DBUS_SYSTEM_BUS_ADDRESS=$1 "$build/cli/framekeyctl" rotate --all --reason="bot test" >/dev/null
}

: >"$work/heard"
timeout 60 "$python" "$root/examples/bot.py" "$work/signalling" 2>"$work/bot" &
bot=$!
for _ in {1..200}; do
        [ ! -S "$work/signalling" ] || break
        sleep 0.05
done
DBUS_SYSTEM_BUS_ADDRESS=${DBUS_SYSTEM_BUS_ADDRESS_2:?} \
        timeout 60 "$python" "$root/examples/bot.py" --call "$work/signalling" >"$work/heard" &
caller=$!
for _ in {1..400}; do
        [ "$(grep -c '"tone": [1-9]' "$work/heard")" -lt 2 ] || break
        sleep 0.05
done
rotate "$DBUS_SYSTEM_BUS_ADDRESS" && rotate "$DBUS_SYSTEM_BUS_ADDRESS_2" || exit
before=$(tail -n 1 "$work/heard")
wait $caller || { cat "$work/bot" >&2 && exit 1; }
wait $bot || { cat "$work/bot" >&2 && exit 1; }
cat "$work/bot" "$work/heard"
"$python" - "$before" "$(tail -n 1 "$work/heard")" <<'END'
import json, sys

before, end = map(json.loads, sys.argv[1:])
assert end["keys_sent"] == end["keys_received"] == 2, "not every key went to the other end"
assert end["tone"] >= before["tone"] + 100, "after the rotation nothing comes back"
assert end["noise"] <= 10, "something else comes back"
END
