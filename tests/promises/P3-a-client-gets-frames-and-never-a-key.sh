#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a client can get out of the daemon by a channel and by the bus has no key in it: fuzz-client tries all it can, for
# a call whose key came by a pipe that it never read, while a scan of its memory, rings included, finds neither that key
# nor what is made of it. The same scan finds both in the daemon, which runs with --no-secretmem.
# $FUZZ_SECONDS (5) is how long, $FUZZ_SEED which way.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
export abs_top_builddir=$build
key='a key of 32 bytes for nobody else'
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}

skip() {
        echo "P3: skipped: $*" >&2
        exit 77
}

fail() {
        echo "P3: FAILED: $* (FUZZ_SEED=$seed)" >&2
        exit 1
}

scan() { # PID STOPS
        "$build/tests/scan/scan-memory" --stops="$2" "$1" <"$dir/patterns" >"$dir/hits" 2>"$dir/errors"
        [ $? -lt 2 ] && return
        cat "$dir/errors" >&2
        fail "the scan did not work"
}

await() { # LINE
        local line=

        read -r -t 120 line <&9
        [ "$line" = "$1" ] || fail "the client does not get to $1"
}

expect_none() { # STOPS
        scan "$client" "$1"
        ! grep -v '^0 hits$' "$dir/hits" || fail "the client has it"
}

work() {
        local line

        dir=$FRAMEKEYD_DIR
        printf %s "${key:0:32}" | "$build/tests/scan/key-patterns" --kdf=hkdf --info-zeros=128 --steps=3 >"$dir/patterns" ||
                fail "key-patterns"
        mkfifo "$dir/said" || fail "mkfifo"
        printf %s "${key:0:32}" | "$build/tests/promises/fuzz-client" "${FUZZ_SECONDS:-5}" "$seed" >"$dir/said" 9>&- &
        client=$!
        exec 9<"$dir/said"
        await ready
        expect_none 20
        await "done"
        expect_none 1
        echo "none of $(wc -l <"$dir/patterns") patterns in the client; $(tail -n 1 "$dir/errors")"
        scan "$FRAMEKEYD_PID" 1
        for line in key.0 round-key-10.0 ghash-key material.1; do
                grep -q "^$line" "$dir/hits" || fail "the scan cannot find $line in the daemon"
        done
        kill "$client"
        wait "$client" 2>/dev/null
        return 0
}

if [ "${1:-}" = --inside ]; then
        work
        exit
fi
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be scanned"
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
FUZZ_SEED=$seed exec "$here/../with-daemon" --daemon-arg=--no-secretmem -- "$0" --inside
