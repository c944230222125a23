#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-codes.c against two daemons, with somebody listening in on the first one's bus: a code is in the
# answer to who asked for it, and nowhere else.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
if [ "${1-}" != inside ]; then
        exec "$here/../with-daemon" --two "$0" inside
fi

fail() {
        echo "codes: $*" >&2
        exit 1
}

busctl --system --json=short monitor >"$FRAMEKEYD_DIR/monitor" 2>"$FRAMEKEYD_DIR/monitor-errors" &
monitor=$!
trap 'kill $monitor 2>/dev/null' EXIT
for ((i = 0; i < 200; i++)); do
        # It listens when it sees the name that this very call takes.
        busctl --system status org.framekey1 >/dev/null 2>&1
        [ ! -s "$FRAMEKEYD_DIR/monitor" ] || break
        kill -0 $monitor 2>/dev/null || fail "busctl monitor: $(cat "$FRAMEKEYD_DIR/monitor-errors")"
        sleep 0.05
done

"$build/tests/bus/test-codes" || exit 1
for ((i = 0; i < 100; i++)); do
        kill -0 $monitor 2>/dev/null || break
        grep -q '"member":"GetSecurityCode"' "$FRAMEKEYD_DIR/monitor" && break
        sleep 0.05
done
kill $monitor 2>/dev/null
wait $monitor 2>/dev/null

sort -u "$FRAMEKEYD_DIR/codes" >"$FRAMEKEYD_DIR/different"
[ "$(wc -l <"$FRAMEKEYD_DIR/different")" -ge 10 ] || fail "only $(wc -l <"$FRAMEKEYD_DIR/different") codes were made"
grep -F -f "$FRAMEKEYD_DIR/different" "$FRAMEKEYD_DIR/monitor" >"$FRAMEKEYD_DIR/seen"
[ -s "$FRAMEKEYD_DIR/seen" ] || fail "the monitor did not see the answers"
! grep -v '"type":"method_return".*"destination":":1\.[0-9]*".*"payload":{"type":"sa(sutu)"' "$FRAMEKEYD_DIR/seen" >&2 ||
        fail "a code is in another message than its answer"
# Without the spaces that people read too.
for log in "$FRAMEKEYD_LOG" "$FRAMEKEYD_LOG_2"; do
        grep -q 'audit: security-code' "$log" || fail "$log does not tell who asked"
        while read -r code; do
                ! tr -d ' ' <"$log" | grep -qF "${code// /}" || fail "a code is in $log"
        done <"$FRAMEKEYD_DIR/different"
done
