#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The app that forwards wrapped keys never has one in its memory: while wrapped-call runs, and after it, a scan of all
# that root can read of that process finds none of its call's keys, of any step. What to look for comes from packages
# for an auditor (open-package), to whom every key is wrapped besides. The same scan finds them in both daemons, which
# run with --no-secretmem.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
export abs_top_builddir=$build
n_keys=4 # the first and three successors
steps=16 # more than a key lives to see

skip() {
        echo "test-wrapped-scan: skipped: $*" >&2
        exit 77
}

fail() {
        echo "test-wrapped-scan: FAILED: $*" >&2
        exit 1
}

scan() { # PID STOPS
        "$build/tests/scan/scan-memory" --stops="$2" "$1" <"$dir/patterns" >"$dir/hits" 2>"$dir/errors"
        [ $? -lt 2 ] && return
        cat "$dir/errors" >&2
        fail "the scan did not work"
}

expect_none() { # WHO PID STOPS
        scan "$2" "$3"
        ! grep -v '^0 hits$' "$dir/hits" || fail "$1 has a key in its memory"
}

expect_key() { # WHO PID NUMBER
        scan "$2" 1
        grep -q "^key-$3-" "$dir/hits" || fail "the scan cannot find key $3 in $1"
}

package() { # NUMBER PART
        "$build/tests/call/open-package" alice "$2" <"$dir/package.$1" || fail "package $1"
}

# What to look for of key NUMBER: the AES key it came with, the next material, and all that comes of that.
add_patterns() { # NUMBER
        {
                package "$1" key | "$build/tests/scan/key-patterns" --kdf=raw
                package "$1" next | "$build/tests/scan/key-patterns" --kdf=hkdf --info-zeros=128 --steps=$steps
        } >"$dir/more" || fail "key-patterns"
        sed "s/^/key-$1-/" "$dir/more" >>"$dir/patterns"
}

# Waits until a command succeeds, as long as the app lives.
await() { # COMMAND...
        local i

        for ((i = 0; i < 1200; i++)); do
                "$@" && return
                kill -0 "$app" 2>/dev/null || break
                sleep 0.05
        done
        "$@" || fail "the app does not get on: $*"
}

work() {
        local number auditor

        dir=$FRAMEKEYD_DIR
        : >"$dir/patterns"
        auditor=$("$build/tests/call/open-package") || fail "open-package"
        mkfifo "$dir/in" || fail "mkfifo"
        # A scan stops the app for a while: keys are used late enough that it gets them across all the same.
        "$build/tests/call/wrapped-call" --auditor="$auditor" --packages="$dir" --activate-after-usec=3000000 \
                --linger <"$dir/in" >"$dir/out" &
        app=$!
        exec 8>"$dir/in"
        for ((number = 0; number < n_keys; number++)); do
                await test -s "$dir/package.$number"
                add_patterns "$number"
                expect_none "the app" "$app" 3
                expect_key "the first daemon" "$FRAMEKEYD_PID" "$number"
                expect_key "the second daemon" "$FRAMEKEYD_PID_2" "$number"
        done
        await grep -q '^done' "$dir/out"
        expect_none "the app" "$app" 10
        exec 8>&-
        wait "$app" || fail "the call failed"
        cat "$dir/out"
        echo "none of $(wc -l <"$dir/patterns") patterns in the app; $(tail -n 1 "$dir/errors")"
}

if [ "${1:-}" = --inside ]; then
        work
        exit
fi
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be scanned"
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
exec "$here/../with-daemon" --two --daemon-arg=--no-secretmem -- "$0" --inside
