#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A bridge that transcrypts never has a plain frame: while frames go through three systems, a scan of all that root can
# read of its process, shared memory included, finds none; nor, once they are through, of its daemon. Source and sink
# live in another process, with another daemon. The same scan finds the plain frames in a bridge that decrypts and
# encrypts instead, and in its daemon.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
export abs_top_builddir=$build

skip() {
        echo "test-transcrypt-scan: skipped: $*" >&2
        exit 77
}

fail() {
        echo "test-transcrypt-scan: FAILED: $*" >&2
        exit 1
}

scan() { # PID STOPS
        "$build/tests/scan/scan-memory" --stops="$2" "$1" <"$dir/patterns" >"$dir/hits" 2>"$dir/errors"
        [ $? -lt 2 ] && return
        cat "$dir/errors" >&2
        fail "the scan did not work"
}

expect() { # none|found WHO PID STOPS
        scan "$3" "$4"
        case $1 in
        none) ! grep -v '^0 hits$' "$dir/hits" || fail "$2 has plain frames in its memory" ;;
        found) ! grep -q '^0 hits$' "$dir/hits" || fail "the scan finds no plain frame in $2" ;;
        esac
}

run() { # pass|open none|found
        local i

        dir=$FRAMEKEYD_DIR/$1
        mkdir "$dir" && mkfifo "$dir/there" "$dir/back" || fail "mkfifo"
        "$build/tests/scan/blind-bridge" far "$dir" >"$dir/there" <"$dir/back" &
        far=$!
        "$build/tests/scan/blind-bridge" "$1" <"$dir/there" >"$dir/back" &
        bridge=$!
        for ((i = 0; i < 1200; i++)); do
                [ ! -e "$dir/patterns" ] || break
                kill -0 "$far" && kill -0 "$bridge" || fail "frames do not get through"
                sleep 0.05
        done
        expect "$2" "the bridge" "$bridge" 20
        echo "$1, under way: $(tail -n 1 "$dir/hits"); $(tail -n 1 "$dir/errors")"
        touch "$dir/stop"
        wait "$far" || fail "the far ends failed"
        expect "$2" "the bridge, in the end," "$bridge" 1
        expect "$2" "the bridge's daemon" "$FRAMEKEYD_PID" 1
        echo "$1, its daemon: $(tail -n 1 "$dir/hits")"
        expect found "the far ends' daemon" "$FRAMEKEYD_PID_2" 1
        kill "$bridge" || fail "the bridge was gone"
        wait "$bridge" 2>/dev/null
        far= bridge=
}

cleanup() {
        [ -z "$far" ] || kill "$far" 2>/dev/null
        [ -z "$bridge" ] || kill "$bridge" 2>/dev/null
}

if [ "${1:-}" = --inside ]; then
        far= bridge=
        trap cleanup EXIT
        # In this order: what one leaves in a daemon's memory, the other would find.
        run pass none
        run open found
        exit
fi
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be scanned"
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
exec "$here/../with-daemon" --two -- "$0" --inside
