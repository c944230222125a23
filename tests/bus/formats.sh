#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-formats.c against a daemon of its own; and against one that keeps no counters, what it says then.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}

fail() {
        echo "formats: $*" >&2
        exit 1
}

volatile() {
        local session

        [ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager CounterState)" = 's "volatile"' ] ||
                fail "CounterState"
        grep -q 'Cannot keep counters in /dev/null/run .* only keys made here can be sent under' "$FRAMEKEYD_LOG" ||
                fail "the log does not say that counters are not kept"
        printf 0123456789abcdef >"$FRAMEKEYD_DIR/key"
        ! echo '{"payload_hex":"00","media":"audio","codec":"opus"}' |
                "$build/cli/framekeyctl" encrypt --profile=sframe --key-file="$FRAMEKEYD_DIR/key" 2>"$FRAMEKEYD_DIR/said" ||
                fail "an imported key can be sent under"
        grep -q 'good for receiving only\|remote participant only' "$FRAMEKEYD_DIR/said" || fail "$(cat "$FRAMEKEYD_DIR/said")"
}

if [ "${1-}" = volatile ]; then
        volatile
        exit
fi
"$here/../with-daemon" "$build/tests/bus/test-formats" || exit
exec "$here/../with-daemon" --daemon-arg=--runtime-directory=/dev/null/run "$0" volatile
